"""Weights learned from truth: found where they are known, and measured on classes that taught nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lookalike
from lookalike.collection import Collection
from lookalike.collection.learned_weights import read_weights, write_weights
from lookalike.collection.likeness import Liking
from lookalike.errors import BadInput
from lookalike.evaluate.judged import Judged
from lookalike.evaluate.metrics import parse_metric
from lookalike.evaluate.protocols import run_protocol
from lookalike.evaluate.summary import summarise
from lookalike.evaluate.truth import join, read_truth
from lookalike.evaluate.truth.joining import Joined
from lookalike.evaluate.weigh import Searching, average_precision, climb, weigh
from two_spaces import CLASSES, EACH, write_two_spaces


def test_average_precision_is_that_of_the_metric() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, (20, 12)).astype(np.float64)
    relevant = rng.random((20, 12)) < 0.3
    expected = parse_metric("map")[0].values(Judged.from_scores(scores, relevant), 0)
    np.testing.assert_allclose(average_precision(scores, relevant, np.ones((20, 12), np.bool_)), expected)


def test_the_feature_that_tells_gets_the_weight() -> None:
    rng = np.random.default_rng(1)
    relevant = rng.random((60, 40)) < 0.1
    telling = relevant + 0.4 * rng.standard_normal((60, 40))
    values = np.stack([telling, 50 * rng.standard_normal((60, 40))], axis=2).astype(np.float32)
    there = np.ones((60, 40), np.bool_)
    weights = climb(values, relevant, there, 2)
    alone = np.nanmean(average_precision(telling, relevant, there))
    learned = np.nanmean(average_precision(values @ weights, relevant, there))
    assert learned >= alone - 1e-9
    assert weights[1] * 50 < 0.2 * weights[0]


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    write_two_spaces(tmp_path)
    with lookalike.open(tmp_path / "c") as made:
        yield made


def truth(photos: Collection, tmp_path: Path) -> Joined:
    return join(read_truth(tmp_path / "truth.csv"), photos)


def test_what_helps_gets_weight_and_what_is_learned_is_used(photos: Collection, tmp_path: Path) -> None:
    joined = truth(photos, tmp_path)
    found = weigh(photos, joined, ["sees", "blind"], [Liking("shade", 1, "same")])
    assert found.best_single == "sees"
    assert found.weights.spaces["sees"] > 0.8
    (shade,) = found.weights.metadata
    assert shade.weight > 0
    assert found.queries == CLASSES * EACH
    assert found.low <= found.value <= found.high
    assert (found.equal.verdict, found.single.verdict) == ("better", "better")
    assert found.equal.difference > 0.1
    # The value is of held-out classes; the equal weights' value is that of the plain evaluation.
    equal = run_protocol(Searching(photos.searching(spaces="sees,blind"), len(photos)), joined)
    assert summarise(equal.judged, ["map"])["map"].value == pytest.approx(found.equal.value)

    write_weights(photos.store, found.weights)
    learned = run_protocol(Searching(photos.searching(spaces="learned"), len(photos)), joined)
    given = ",".join(f"{name}:{weight!r}" for name, weight in found.weights.spaces.items())
    by_hand = photos.search("id:03-1", spaces=given, metadata=[shade])
    assert [(h.id, h.score) for h in photos.search("id:03-1", spaces="learned")] == [(h.id, h.score) for h in by_hand]
    assert summarise(learned.judged, ["map"])["map"].value > found.equal.value + 0.1


def test_the_same_seed_learns_the_same(photos: Collection, tmp_path: Path) -> None:
    found = weigh(photos, truth(photos, tmp_path), ["sees"], [Liking("shade", 1, "same")])
    again = weigh(photos, truth(photos, tmp_path), ["sees"], [Liking("shade", 1, "same")])
    assert (found.value, found.weights.to_text().split('"created"')[0]) == (
        again.value,
        again.weights.to_text().split('"created"')[0],
    )


def test_weights_go_with_their_vectors(photos: Collection, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no learned weights"):
        photos.search("id:03-1", spaces="learned")
    found = weigh(photos, truth(photos, tmp_path), ["sees", "blind"])
    stale = found.weights
    write_weights(photos.store, stale)
    assert read_weights(photos.store).spaces == stale.spaces
    text = stale.to_text().replace("fingerprint of sees", "another")
    photos.store.set_setting("weights", text)
    with pytest.raises(BadInput, match="other vectors of 'sees'"):
        photos.search("id:03-1", spaces="learned")
    with pytest.raises(BadInput, match="nothing to weigh"):
        weigh(photos, truth(photos, tmp_path), ["sees"])
