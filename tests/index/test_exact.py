"""Exact search against a loop in Python that adds in float64."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.errors import BadInput, BadShape
from lookalike.index import exact, scores, topk
from lookalike.index.exact import Exact
from lookalike.types import Rows, Segment, Similarity, Vectors, VectorSpace

DIM = 3


def space(similarity: Similarity = "cosine", dim: int = DIM) -> VectorSpace:
    return VectorSpace("test", dim, "test", similarity=similarity)


def unit(vectors: Any) -> Vectors:
    wide = np.asarray(vectors, np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True), np.float32)


def loop_score(query: Vectors, vector: Vectors, similarity: Similarity) -> np.float32:
    pairs = [(float(a), float(b)) for a, b in zip(query, vector, strict=True)]
    if similarity == "l2":
        return np.float32(-math.fsum((a - b) ** 2 for a, b in pairs))
    return np.float32(min(1.0, max(-1.0, math.fsum(a * b for a, b in pairs))))


def loop_search(
    rows: list[int], vectors: Vectors, query: Vectors, k: int, similarity: Similarity
) -> list[tuple[int, float]]:
    scored = [(row, float(loop_score(query, vector, similarity))) for row, vector in zip(rows, vectors, strict=True)]
    return sorted(scored, key=lambda found: (-found[1], found[0]))[:k]


# Few values, so that equal vectors and equal scores are common; all sums of their products are exact in float64.
coarse = st.sampled_from([-1.0, -0.5, 0.25, 0.5, 1.0])
vector = st.lists(coarse, min_size=DIM, max_size=DIM)


@given(
    vectors=st.lists(vector, max_size=40),
    queries=st.lists(vector, min_size=1, max_size=4),
    k=st.integers(1, 45),
    similarity=st.sampled_from(["cosine", "l2"]),
    block=st.sampled_from([1, 5, 64]),
    data=st.data(),
)
def test_search_equals_the_loop(
    vectors: list[list[float]],
    queries: list[list[float]],
    k: int,
    similarity: Similarity,
    block: int,
    data: st.DataObject,
) -> None:
    stored = np.asarray(vectors, np.float32).reshape(-1, DIM)
    asked = np.asarray(queries, np.float32)
    if similarity == "cosine":
        stored, asked = (unit(stored) if len(stored) else stored), unit(asked)
    ids = data.draw(st.permutations(range(10, 10 + len(stored))))
    allowed = data.draw(st.none() | st.sets(st.integers(5, 60)))
    with pytest.MonkeyPatch.context() as patch:
        # Small blocks, and each of the two ways in turn, so that borders and thresholds are crossed.
        patch.setattr(exact, "_LEAST_BLOCK", block)
        patch.setattr(exact, "_BLOCK_BYTES", 1)
        patch.setattr(exact, "_LONE_QUERY", 2)
        patch.setattr(exact, "_RANKING_SHARE", data.draw(st.sampled_from([0, 8])))
        index = Exact(space(similarity))
        cut = data.draw(st.integers(0, len(ids)))
        for part in (slice(0, cut), slice(cut, None)):
            index.add(np.asarray(ids[part], np.int64), stored[part])
        found = index.search(asked, k, allowed=None if allowed is None else np.asarray(sorted(allowed), np.int64))
    kept = [at for at, row in enumerate(ids) if allowed is None or row in allowed]
    for at, query in enumerate(asked):
        expected = loop_search([ids[i] for i in kept], stored[kept], query, k, similarity)
        assert list(found.pairs(at)) == expected
        assert (found.rows[at, len(expected) :] == -1).all()
        assert np.isneginf(found.scores[at, len(expected) :]).all()


@pytest.mark.parametrize("similarity", ["cosine", "l2"])
@pytest.mark.parametrize("dim", [1, 17, 256])
def test_random_vectors_equal_the_loop(similarity: Similarity, dim: int) -> None:
    rng = np.random.default_rng(dim)
    vectors, queries = unit(rng.standard_normal((300, dim))), unit(rng.standard_normal((3, dim)))
    index = Exact(space(similarity, dim))
    index.add(np.arange(300), vectors)
    for k in (7, 300):
        found = index.search(queries, k)
        for at, query in enumerate(queries):
            assert list(found.pairs(at)) == loop_search(list(range(300)), vectors, query, k, similarity)


@pytest.mark.parametrize("similarity", ["cosine", "l2"])
def test_the_fast_way_equals_ranking_everything(similarity: Similarity) -> None:
    """Many near-ties: the threshold must let through whatever the rounding of a float32 product may hide."""
    rng = np.random.default_rng(0)
    around = rng.standard_normal(64)
    vectors = unit(around + 1e-7 * rng.standard_normal((20_000, 64)))
    vectors[rng.integers(0, 20_000, 3000)] = vectors[0]
    queries = unit(around + 0.1 * rng.standard_normal((5, 64)))
    index = Exact(space(similarity, 64))
    index.add(np.arange(20_000), vectors)
    found = index.search(queries, 50)
    truth = scores.all_scores(queries, vectors, similarity)
    order = np.argsort(-truth, axis=1, kind="stable")[:, :50]
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_array_equal(found.scores, np.take_along_axis(truth, order, axis=1))


@pytest.mark.parametrize("similarity", ["cosine", "l2"])
def test_scores_of_all_pairs_are_the_scores_of_each_pair(similarity: Similarity) -> None:
    rng = np.random.default_rng(1)
    vectors = unit(rng.standard_normal((500, 40)))
    queries = np.concatenate([vectors[:20], unit(rng.standard_normal((20, 40)))])
    whole = scores.all_scores(queries, vectors, similarity)
    for at, query in enumerate(queries):
        np.testing.assert_array_equal(whole[at], scores.pair_scores(np.tile(query, (500, 1)), vectors, similarity))


@pytest.mark.parametrize("similarity", ["cosine", "l2"])
@pytest.mark.parametrize("batch", [1, 7])
def test_the_stated_error_of_rough_scores_holds(similarity: Similarity, batch: int) -> None:
    rng = np.random.default_rng(2)
    vectors, queries = unit(rng.standard_normal((3000, 200))), unit(rng.standard_normal((batch, 200)))
    if similarity == "l2":
        vectors, queries = vectors * np.float32(1000), queries * np.float32(900)
    rough, error = scores.rough_scores(queries, vectors, similarity)
    wide = queries.astype(np.float64) @ vectors.astype(np.float64).T
    if similarity == "l2":
        wide = 2 * wide - (vectors.astype(np.float64) ** 2).sum(1) - (queries.astype(np.float64) ** 2).sum(1)[:, None]
    assert (np.abs(rough - wide) <= error[:, None]).all()


def test_a_query_has_the_same_answer_alone_and_in_a_batch() -> None:
    rng = np.random.default_rng(3)
    vectors = unit(rng.standard_normal((9000, 100)))
    vectors[4000:8000] = vectors[:4000]  # equal vectors at other places of their blocks
    index = Exact(space(dim=100))
    index.add(np.arange(9000), vectors)
    batch = index.search(vectors[:33], 10)
    for at in range(33):
        alone = index.search(vectors[at : at + 1], 10)
        np.testing.assert_array_equal(alone.rows[0], batch.rows[at])
        np.testing.assert_array_equal(alone.scores[0], batch.scores[at])
        assert alone.rows[0, :2].tolist() == [at, at + 4000]
        assert alone.scores[0, 0] == alone.scores[0, 1]


def test_scores_that_rise_through_the_whole_index_are_found() -> None:
    """The order that defeats a running threshold: each block beats all before it."""
    angle = np.linspace(np.pi / 2, 0, 50_000)
    vectors = unit(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    index = Exact(space(dim=2))
    index.add(np.arange(50_000), vectors)
    query = np.array([[1, 0]], np.float32)
    truth = scores.all_scores(query, vectors, "cosine")[0]
    np.testing.assert_array_equal(index.search(query, 10).rows[0], np.lexsort((np.arange(50_000), -truth))[:10])


def test_segments_with_dead_positions_are_searched_without_them() -> None:
    vectors = unit(np.random.default_rng(4).standard_normal((100, DIM)))
    base = Segment(np.arange(100), vectors, np.array([0, 3, 99]))
    newer = Segment(np.array([3]), -vectors[3:4])

    class Given:
        space = space()
        version = 1
        segments = (base, newer)
        rows: Rows = np.empty(0, np.int64)
        vectors: Vectors = np.empty((0, DIM), np.float32)

        def __len__(self) -> int:
            return 98

    index = Exact.over(Given())
    assert len(index) == 98
    assert index.search(vectors[:1], 100).rows[0].tolist().count(-1) == 2
    assert index.search(-vectors[3:4], 1).rows[0, 0] == 3
    assert index.search(vectors[:4], 100, allowed=np.array([0, 3, 99])).rows[:, :2].tolist() == [[3, -1]] * 4
    assert index.remove(np.array([3, 0, 50])) == 2
    assert base.dead.tolist() == [0, 3, 99], "what was given stays as it was"


def test_memory_does_not_depend_on_how_many_are_stored() -> None:
    rng = np.random.default_rng(5)
    peaks = []
    for n in (50_000, 200_000):
        index = Exact(space(dim=64))
        index.add(np.arange(n), unit(rng.standard_normal((n, 64), dtype=np.float32)))
        queries = unit(rng.standard_normal((200, 64)))
        tracemalloc.start()
        index.search(queries, 10)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
    assert peaks[1] < 60 << 20  # all scores would be 160 MB


def test_adding_little_by_little_equals_adding_at_once() -> None:
    vectors = unit(np.random.default_rng(6).standard_normal((300, DIM)))
    order = np.random.default_rng(7).permutation(300)
    little, once = Exact(space()), Exact(space())
    once.add(order, vectors)
    for at in range(0, 300, 7):
        little.add(order[at : at + 7], vectors[at : at + 7])
    assert len(little._segments) < 12
    np.testing.assert_array_equal(little.search(vectors[:9], 300).rows, once.search(vectors[:9], 300).rows)


def test_the_last_of_an_id_given_twice_counts() -> None:
    index = Exact(space())
    index.add(np.array([5, 5]), np.eye(3, dtype=np.float32)[:2])
    assert len(index) == 1
    assert index.search(np.eye(3, dtype=np.float32)[1:2], 2).pairs(0) == [(5, 1.0)]


def test_what_cannot_be_used_is_refused() -> None:
    index = Exact(space())
    index.add(np.array([1]), np.eye(3, dtype=np.float32)[:1])
    query = np.eye(3, dtype=np.float32)[:1]
    with pytest.raises(BadInput, match="k must be at least 1, got 0"):
        index.search(query, 0)
    with pytest.raises(BadShape, match="finite"):
        index.search(query * np.float32(np.nan), 1)
    with pytest.raises(BadShape, match=r"\(B, 3\), got float32 of shape \(1, 2\)"):
        index.search(query[:, :2], 1)
    with pytest.raises(BadShape, match="unit norm; one has 2"):
        index.search(query * 2, 1)
    with pytest.raises(BadShape, match="integers from 0"):
        index.add(np.array([-1]), query)
    with pytest.raises(BadShape, match="longer than 1e"):
        Exact(space("l2")).search(query * np.float32(1e20), 1)
    with pytest.raises(BadInput, match="not sparse/kernel"):
        Exact(VectorSpace("words", 8, "x", kind="sparse", similarity="kernel"))


def test_a_threshold_is_never_raised_above_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """One query full, the other not: blocks smaller than k."""
    best = topk.Best(np.eye(2, dtype=np.float32), 5, "cosine")
    vectors = unit([[1, i] for i in range(12)])
    for at in range(0, 12, 3):
        best.offer(np.arange(at, at + 3), vectors[at : at + 3])
    rows, found = best.result()
    assert rows.tolist() == [[0, 1, 2, 3, 4], [11, 10, 9, 8, 7]]
    assert (np.diff(found, axis=1) < 0).all()
