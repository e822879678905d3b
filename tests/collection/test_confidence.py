"""When a best score is nothing: what the collection's own images find with their neighbours."""

from __future__ import annotations

import numpy as np

from lookalike.collection.confidence import SAMPLE, expected_best, sample
from lookalike.types import Vectors, VectorSpace

SPACE = VectorSpace("circle", 2, "circle/1")


def on_circle(degrees: list[float]) -> Vectors:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_fifth_percentile_of_the_nearest_neighbours() -> None:
    # 21 images, 10 degrees apart, but the last one 30 degrees from its neighbour: 20 of them have a neighbour at
    # cos 10, one at cos 30. Of 21 sorted values the 5th percentile is at position 0.05 * 20 = 1: the second lowest.
    vectors = on_circle([*(10.0 * n for n in range(20)), 220.0])
    assert np.isclose(expected_best(SPACE, vectors) or 0, np.cos(np.radians(10)), atol=1e-6)


def test_copies_do_not_count_as_neighbours() -> None:
    vectors = on_circle([10.0 * (n // 2) for n in range(42)])  # each image twice
    assert np.isclose(expected_best(SPACE, vectors) or 0, np.cos(np.radians(10)), atol=1e-6)


def test_too_few_images_or_nothing_but_copies_say_nothing() -> None:
    assert expected_best(SPACE, on_circle([0.0, 90.0])) is None
    assert expected_best(SPACE, on_circle([45.0] * 30)) is None


def test_the_sample_is_seeded_and_without_repetition() -> None:
    rows = np.arange(3 * SAMPLE) * 3
    drawn = sample(rows, seed=0)
    assert len(drawn) == len(set(drawn.tolist())) == SAMPLE
    assert set(drawn.tolist()) <= set(rows.tolist())
    np.testing.assert_array_equal(drawn, sample(rows, seed=0))
    rows.setflags(write=False)  # as those of a mapped file are
    np.testing.assert_array_equal(drawn, sample(rows, seed=0))
    assert len(sample(rows[:0], seed=0)) == 0
    assert sorted(sample(rows[:10], seed=1).tolist()) == rows[:10].tolist()
