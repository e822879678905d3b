"""Search among bits against a loop over text."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.errors import BadInput, BadShape
from lookalike.index.exact import Exact
from lookalike.index.hamming import distances, pair_distances
from lookalike.types import Bits, Vectors, VectorSpace


def space(bits: int) -> VectorSpace:
    return VectorSpace("bits", bits, "test", kind="bits", similarity="hamming")


def packed(rng: np.random.Generator, count: int, bits: int) -> Bits:
    return np.packbits(rng.random((count, bits)) < 0.5, axis=1)


def text(row: Bits, bits: int) -> str:
    return "".join(f"{byte:08b}" for byte in row.tolist())[:bits]


def differing(first: str, second: str) -> int:
    return sum(a != b for a, b in zip(first, second, strict=True))


@given(bits=st.integers(1, 200), count=st.integers(0, 30), queries=st.integers(0, 4), seed=st.integers(0, 1000))
def test_distances_equal_a_loop(bits: int, count: int, queries: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = packed(rng, queries, bits), packed(rng, count, bits)
    expected = [[differing(text(a, bits), text(b, bits)) for b in right] for a in left]
    assert distances(left, right).tolist() == expected
    for a, row in zip(left, expected, strict=True):
        assert pair_distances(np.repeat(a[None], count, axis=0), right).tolist() == row


@given(
    bits=st.sampled_from([1, 7, 8, 12, 64, 65]),
    count=st.integers(0, 60),
    k=st.integers(1, 70),
    seed=st.integers(0, 1000),
    some=st.booleans(),
)
def test_search_equals_a_loop(bits: int, count: int, k: int, seed: int, some: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.permutation(100)[:count].astype(np.int64)
    vectors, queries = packed(rng, count, bits), packed(rng, 3, bits)
    allowed = rows[: count // 2] if some else None
    index = Exact(space(bits))
    for start in range(0, count, 25):
        index.add(rows[start : start + 25], cast(Vectors, vectors[start : start + 25]))
    found = index.search(cast(Vectors, queries), k, allowed=allowed)
    for number, query in enumerate(queries):
        scored = [
            (differing(text(query, bits), text(vector, bits)), row)
            for row, vector in zip(rows.tolist(), vectors, strict=True)
            if allowed is None or row in allowed
        ]
        expected = [(row, float(np.float32(1 - distance / bits))) for distance, row in sorted(scored)[:k]]
        assert found.pairs(number) == expected


def test_many_queries_at_once_are_cut_into_parts() -> None:
    rng = np.random.default_rng(0)
    left, right = packed(rng, 7, 130), packed(rng, 100_000, 130)
    found = distances(left, right)
    for at in (0, 6):
        assert np.array_equal(found[at], pair_distances(np.repeat(left[at : at + 1], len(right), axis=0), right))


def test_what_are_no_such_bits_is_refused() -> None:
    index = Exact(space(12))
    with pytest.raises(BadShape, match=r"packed uint8 \(B, 2\), got float32"):
        index.search(np.zeros((1, 2), np.float32), 1)
    with pytest.raises(BadShape, match=r"packed uint8 \(B, 2\)"):
        index.search(cast(Vectors, np.zeros((1, 12), np.uint8)), 1)
    with pytest.raises(BadShape, match="12 bits; one has more"):
        index.add(np.array([1]), cast(Vectors, np.array([[255, 255]], np.uint8)))
    index.add(np.array([1]), cast(Vectors, np.array([[255, 0b11110000]], np.uint8)))
    assert len(index) == 1


def test_bits_are_compared_by_hamming_only() -> None:
    with pytest.raises(BadInput, match="bits/cosine"):
        VectorSpace("x", 8, "x", kind="bits")
    with pytest.raises(BadInput, match="float/hamming"):
        VectorSpace("x", 8, "x", similarity="hamming")
