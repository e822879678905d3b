"""Several vectors an image: against loops that score everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.index import by_image
from lookalike.index.by_image import ByImage
from lookalike.index.exact import Exact
from lookalike.types import MOST_REGIONS, Candidates, Rows, Vectors, VectorSpace

SPACE = VectorSpace("few", 4, "few", similarity="l2")


def small(n: int, seed: int) -> Vectors:
    """Vectors of small whole numbers, so that many scores are equal."""
    return np.random.default_rng(seed).integers(0, 3, (n, 4)).astype(np.float32)


def made(parts_of: list[int], seed: int) -> tuple[ByImage, Rows, Vectors, Rows, Vectors]:
    rows = np.arange(len(parts_of), dtype=np.int64) * 3 + 2
    keys = np.array(
        [row * MOST_REGIONS + n for row, count in zip(rows.tolist(), parts_of, strict=True) for n in range(count)],
        np.int64,
    )
    wholes, parts = small(len(rows), seed), small(len(keys), seed + 1)
    first, second = Exact(SPACE), Exact(SPACE)
    first.add(rows, wholes)
    second.add(keys, parts)
    return ByImage(first, second, keys), rows, wholes, keys, parts


def by_loops(
    query: Vectors, k: int, rows: Rows, wholes: Vectors, keys: Rows, parts: Vectors, allowed: set[int]
) -> list[tuple[int, float]]:
    best: dict[int, float] = {}
    pairs = [*zip(rows.tolist(), wholes, strict=True), *zip((keys // MOST_REGIONS).tolist(), parts, strict=True)]
    for row, vector in pairs:
        if row in allowed:
            best[row] = max(best.get(row, -np.inf), -float(((query - vector) ** 2).sum()))
    return sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))[:k]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 14), st.integers(0, 999), st.booleans())
def test_it_finds_what_loops_find(parts_of: list[int], k: int, seed: int, some: bool) -> None:
    index, rows, wholes, keys, parts = made(parts_of, seed)
    allowed = rows[::2] if some else None
    queries = small(3, seed + 2)
    found = index.search(queries, k, allowed=allowed)
    for place, query in enumerate(queries):
        expected = by_loops(query, k, rows, wholes, keys, parts, set((rows if allowed is None else allowed).tolist()))
        assert list(found.pairs(place)) == expected
    assert isinstance(found, Candidates)
    assert found.rows.shape == (3, k)


def test_one_image_of_very_many_parts_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first hundred neighbours are parts of one image: it is looked deeper, for each query that needs it."""
    monkeypatch.setattr(by_image, "_HELD", 50)
    index, rows, wholes, keys, parts = made([300, 1, 1, 2], 5)
    parts[:300] = 1
    fresh = Exact(SPACE)
    fresh.add(keys, parts)
    index = ByImage(index._wholes, fresh, keys)
    queries = np.vstack([np.ones((1, 4), np.float32), small(4, 8)])
    found = index.search(queries, 4)
    for place, query in enumerate(queries):
        assert list(found.pairs(place)) == by_loops(query, 4, rows, wholes, keys, parts, set(rows.tolist()))


def test_the_better_part_of_an_image() -> None:
    index, rows, wholes, keys, parts = made([2, 0, 5, 1], 11)
    query = small(1, 12)
    better = index.better_parts(query, rows)
    for row, whole in zip(rows.tolist(), wholes, strict=True):
        own = [-float(((query[0] - part) ** 2).sum()) for part in parts[keys // MOST_REGIONS == row]]
        beats = bool(own) and max(own) > -float(((query[0] - whole) ** 2).sum())
        assert better.get(row) == (own.index(max(own)) if beats else None)
    assert index.better_parts(query, np.array([], np.int64)) == {}
    assert index.better_parts(query, rows[1:2]) == {}
