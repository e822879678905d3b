"""What a run that goes on compares its images and labels by; no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from lookalike.evaluate.truth.base import LabelSets
from lookalike.train.same_data import changes, known_of
from lookalike.train.samples import Samples


def of_files(folder: Path, labels: str = "aab", names: Sequence[str] = ("0.png", "1.png", "2.png")) -> Samples:
    return Samples(
        names=tuple(names),
        sources=tuple(str(folder / name) for name in names),
        labels=LabelSets.of([label] for label in labels),
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("0.png", "1.png", "2.png", "3.png"):
        (tmp_path / name).write_bytes(b"five5")
    return tmp_path


def test_nothing_changed_in_another_order_and_after_a_trip_through_json(files: Path) -> None:
    before = json.loads(json.dumps(known_of(of_files(files), None)))
    turned = of_files(files, "baa", ("2.png", "1.png", "0.png"))
    assert changes(before, known_of(turned, None)) == []


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        ("aa", ("0.png", "1.png"), "3 images to train on then, 2 now"),
        ("aab", ("0.png", "1.png", "3.png"), "other names of the images to train on"),
        ("abb", ("0.png", "1.png", "2.png"), "other labels of the images to train on"),
    ],
)
def test_what_changed_is_said(files: Path, labels: str, names: Sequence[str], words: str) -> None:
    before, now = known_of(of_files(files), None), known_of(of_files(files, labels, names), None)
    assert changes(before, now) == [words]


def test_a_picture_of_another_size_under_the_same_name_is_said(files: Path) -> None:
    before = known_of(of_files(files), of_files(files, "a", ("3.png",)))
    (files / "3.png").write_bytes(b"longer")
    now = known_of(of_files(files), of_files(files, "a", ("3.png",)))
    assert changes(before, now) == ["other sizes of the files to measure on"]


def test_a_checkpoint_of_before_is_compared_by_what_it_has(files: Path) -> None:
    before = {key: value for key, value in known_of(of_files(files), None).items() if key not in ("names", "sizes")}
    (files / "1.png").write_bytes(b"longer")
    assert changes(before, known_of(of_files(files), None)) == []
    assert changes(before, known_of(of_files(files, "abb"), None)) == ["other data to train on"]
