"""A calibration as a value, as a setting of the collection, and as what a search makes of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lookalike
from lookalike.collection import Collection
from lookalike.collection.calibration import Calibration, read_calibration, write_calibration
from lookalike.errors import BadInput, BadQuery, BadShape
from pictures import write_pictures


def calibration(**changes: Any) -> Calibration:
    facts: dict[str, Any] = {
        "thresholds": np.array([0.2, 0.6, 1.0], np.float32),
        "probabilities": np.array([0.0, 0.5, 1.0], np.float32),
        "fingerprint": "f",
        "ece": 0.03,
        "ece_low": 0.01,
        "ece_high": float("nan"),
        "n": 100,
        "queries": 10,
        "depth": 10,
        "created": "2026-01-01T00:00:00+00:00",
    }
    return Calibration(**{**facts, **changes})


@pytest.fixture
def photos(tmp_path: Path) -> Collection:
    made = lookalike.open(tmp_path / "c.collection")
    made.add(write_pictures(tmp_path / "photos", 6))
    return made


def test_linear_between_the_knots_and_constant_beyond() -> None:
    # 0.4 is half way from 0.2 to 0.6: 0.25; 0.8 half way from 0.6 to 1: 0.75
    given = calibration().relevance([-1.0, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0])
    assert given == pytest.approx([0, 0, 0.25, 0.5, 0.75, 1, 1], abs=1e-6)


def test_the_score_of_a_relevance() -> None:
    assert calibration().score_at(0.75) == pytest.approx(0.8)
    assert calibration().score_at(0.0) == pytest.approx(0.2)
    capped = calibration(probabilities=np.array([0.1, 0.4, 0.4], np.float32))
    assert capped.score_at(0.05) == pytest.approx(0.2)
    assert capped.score_at(0.4) == pytest.approx(0.6)
    assert capped.score_at(0.5) is None
    with pytest.raises(BadInput, match="from 0 to 1"):
        capped.score_at(1.5)


def test_text_and_back() -> None:
    back = Calibration.from_text(calibration().to_text())
    assert back is not None
    for field in dataclasses.fields(Calibration):
        assert np.array_equal(getattr(back, field.name), getattr(calibration(), field.name)) or field.name == "ece_high"
    assert np.isnan(back.ece_high)
    assert Calibration.from_text("") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"thresholds": np.array([0.2, 0.2, 1.0], np.float32)},
        {"thresholds": np.array([0.2, 1.0], np.float32)},
        {"thresholds": np.array([0.2, np.nan, 1.0], np.float32)},
        {"probabilities": np.array([0.5, 0.2, 1.0], np.float32)},
        {"probabilities": np.array([0.5, 0.6, 1.1], np.float32)},
        {"probabilities": np.array([0.5, np.nan, 1.0], np.float32)},
        {"thresholds": np.empty(0, np.float32), "probabilities": np.empty(0, np.float32)},
    ],
)
def test_what_is_no_rising_map_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadShape):
        calibration(**changes)


def test_search_shows_relevance_and_leaves_out_what_is_below(photos: Collection, tmp_path: Path) -> None:
    assert all(hit.relevance is None for hit in photos.search("id:picture-0001.png"))
    made = calibration(fingerprint=photos.space.fingerprint)
    write_calibration(photos.store, photos.space, made)
    results = photos.search("id:picture-0001.png")
    assert [hit.relevance for hit in results] == pytest.approx(made.relevance([hit.score for hit in results]).tolist())
    assert results[0].relevance == pytest.approx(1)
    assert results.to_json()["hits"][0]["relevance"] == pytest.approx(1)
    second = results[1].relevance
    assert second is not None
    some = photos.search("id:picture-0001.png", min_relevance=second)
    assert [hit.id for hit in some] == [hit.id for hit in results[:2]]
    # Another process sees it too.
    with lookalike.open(photos.path) as again:
        assert again.search("id:picture-0001.png", 1)[0].relevance == pytest.approx(1)


def test_when_nothing_is_relevant_enough_it_says_so(photos: Collection) -> None:
    low = calibration(fingerprint=photos.space.fingerprint, probabilities=np.array([0.0, 0.2, 0.3], np.float32))
    write_calibration(photos.store, photos.space, low)
    results = photos.search("id:picture-0001.png", min_relevance=0.9)
    assert len(results) == 0
    assert "Nothing reaches a relevance of 0.9" in results.note
    assert "picture-0001.png, has 0.30" in results.note


def test_a_calibration_of_another_embedder_is_not_applied(photos: Collection) -> None:
    with pytest.raises(BadInput, match="the calibration is of another"):
        write_calibration(photos.store, photos.space, calibration(fingerprint="another"))
    photos.store.set_setting(f"calibration:{photos.space.name}", calibration(fingerprint="another").to_text())
    assert read_calibration(photos.store, photos.space) is None
    assert photos.search("id:picture-0001.png")[0].relevance is None
    with pytest.raises(BadInput, match=r"not calibrated.*lookalike calibrate"):
        photos.search("id:picture-0001.png", min_relevance=0.5)


def test_several_items_have_no_relevance(photos: Collection) -> None:
    write_calibration(photos.store, photos.space, calibration(fingerprint=photos.space.fingerprint))
    both = ["id:picture-0001.png", "id:picture-0002.png"]
    assert photos.search(both)[0].relevance is None
    with pytest.raises(BadQuery, match="one image only"):
        photos.search(both, min_relevance=0.5)


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_a_least_relevance_is_a_probability(photos: Collection, least: float) -> None:
    with pytest.raises(BadInput, match="from 0 to 1"):
        photos.search("id:picture-0001.png", min_relevance=least)
