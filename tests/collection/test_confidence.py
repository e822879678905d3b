"""When a best score is nothing: what the collection's own images find with their neighbours."""

from __future__ import annotations

import numpy as np

from lookalike.collection.confidence import expected_best, sample
from lookalike.types import Candidates, Rows, Vectors


class Slow:
    """A searcher of a few vectors, by full sorting."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        scores = vectors @ self._vectors.T
        if allowed is not None:
            scores[:, ~np.isin(np.arange(len(self._vectors)), allowed)] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return Candidates(order.astype(np.int64), np.take_along_axis(scores, order, axis=1))

    def vectors(self, ids: Rows) -> Vectors:
        return self._vectors[ids]


def on_circle(degrees: list[float]) -> Vectors:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_fifth_percentile_of_the_nearest_neighbours() -> None:
    # 21 images, 10 degrees apart, but the last one 30 degrees from its neighbour: 20 of them have a neighbour at
    # cos 10, one at cos 30. Of 21 sorted values the 5th percentile is at position 0.05 * 20 = 1: the second lowest.
    vectors = on_circle([*(10.0 * n for n in range(20)), 220.0])
    assert np.isclose(expected_best(Slow(vectors), np.arange(21)) or 0, np.cos(np.radians(10)), atol=1e-6)


def test_copies_do_not_count_as_neighbours() -> None:
    vectors = on_circle([10.0 * (n // 2) for n in range(42)])  # each image twice
    assert np.isclose(expected_best(Slow(vectors), np.arange(42)) or 0, np.cos(np.radians(10)), atol=1e-6)


def test_too_few_images_or_nothing_but_copies_say_nothing() -> None:
    assert expected_best(Slow(on_circle([0.0, 90.0])), np.arange(2)) is None
    assert expected_best(Slow(on_circle([45.0] * 30)), np.arange(30)) is None


def test_the_sample_is_seeded_and_ascending() -> None:
    rows = np.arange(1000) * 3
    drawn = sample(rows, seed=0)
    assert len(drawn) == len(set(drawn.tolist())) == 256
    assert (np.diff(drawn) > 0).all()
    assert set(drawn.tolist()) <= set(rows.tolist())
    np.testing.assert_array_equal(drawn, sample(rows, seed=0))
