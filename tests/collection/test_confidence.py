"""When a best score is nothing: what the collection's own images find with their neighbours."""

from __future__ import annotations

import numpy as np

from lookalike.collection.confidence import COPIES, SAMPLE, expected_best, least_of_copies, nearest_scores, sample
from lookalike.types import Vectors, VectorSpace

SPACE = VectorSpace("circle", 2, "circle/1")


def on_circle(degrees: list[float]) -> Vectors:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_fifth_percentile_of_the_nearest_neighbours() -> None:
    # 21 images, 10 degrees apart, but the last one 30 degrees from its neighbour: 20 of them have a neighbour at
    # cos 10, one at cos 30. Of 21 sorted values the 5th percentile is at position 0.05 * 20 = 1: the second lowest.
    vectors = on_circle([*(10.0 * n for n in range(20)), 220.0])
    assert np.isclose(expected_best(nearest_scores(SPACE, vectors)) or 0, np.cos(np.radians(10)), atol=1e-6)


def test_copies_do_not_count_as_neighbours() -> None:
    vectors = on_circle([10.0 * (n // 2) for n in range(42)])  # each image twice
    assert np.isclose(expected_best(nearest_scores(SPACE, vectors)) or 0, np.cos(np.radians(10)), atol=1e-6)


def test_too_few_images_or_nothing_but_copies_say_nothing() -> None:
    assert expected_best(nearest_scores(SPACE, on_circle([0.0, 90.0]))) is None
    assert expected_best(nearest_scores(SPACE, on_circle([45.0] * 30))) is None


def test_near_copies_lie_as_far_above_the_upper_quartile_as_that_above_the_median() -> None:
    # Of 0.80, 0.81, ... 1.00 the median is 0.90 and the upper quartile 0.95: 2 * 0.95 - 0.90 = 1, which is too much.
    assert least_of_copies(np.linspace(0.8, 1.0, 21)) == COPIES[1]
    # Of 0.70, 0.71, ... 0.90: median 0.80, upper quartile 0.85, so 0.90.
    assert np.isclose(least_of_copies(np.linspace(0.7, 0.9, 21)) or 0, 0.9)
    assert least_of_copies(np.linspace(0.2, 0.4, 21)) == COPIES[0]
    assert least_of_copies(np.empty(0)) is None
    # A fifth of the images with copies changes nothing.
    usual = np.full(80, 0.88)
    assert np.isclose(least_of_copies(np.concatenate([usual, np.full(20, 0.998)])) or 0, 0.88)


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
