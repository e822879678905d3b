"""All pairs above a score, against a slow loop; each pair once, whatever is asked of whom."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lookalike
from lookalike.collection import near_pairs as module
from lookalike.collection.near_pairs import TooManyPairs, near_pairs
from lookalike.errors import BadInput, BadShape
from lookalike.index.scores import pair_scores
from lookalike.store.snapshot import VectorSnapshot
from lookalike.types import Rows, Segment, Similarity, Vectors, VectorSpace
from pictures import write_pictures


def snapshot(vectors: Vectors, rows: Rows, *, cuts: int = 1, similarity: Similarity = "cosine") -> VectorSnapshot:
    """Return a snapshot of the rows, spread over ``cuts`` segments."""
    space = VectorSpace("test", vectors.shape[1], f"test/{similarity}", similarity=similarity)
    segments = []
    for part in range(cuts):
        at = np.arange(part, len(rows), cuts)
        segments.append(Segment(rows[at], vectors[at]))
    return VectorSnapshot(space, 1, tuple(segments))


def clustered(rng: np.random.Generator, n: int, dim: int = 8) -> Vectors:
    """Return (n, dim) unit vectors, many of them near one another and some equal."""
    centres = rng.standard_normal((max(n // 4, 1), dim))
    made = centres[rng.integers(0, len(centres), n)] + rng.choice([0.0, 0.05, 0.3], (n, 1)) * rng.standard_normal(
        (n, dim)
    )
    unit: Vectors = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return unit


def loop(
    shot: VectorSnapshot, threshold: float, rows: Rows | None = None, against: Rows | None = None
) -> dict[tuple[int, int], float]:
    """Find the pairs one by one."""
    all_rows, vectors = shot.rows.tolist(), shot.vectors
    left = all_rows if rows is None else [row for row in all_rows if row in rows]
    right = left if against is None else [row for row in all_rows if row in against]
    found: dict[tuple[int, int], float] = {}
    for a in left:
        for b in right:
            if a == b:
                continue
            pair = (vectors[[all_rows.index(a)]], vectors[[all_rows.index(b)]])
            score = float(pair_scores(*pair, shot.space.similarity)[0])
            key = (min(a, b), max(a, b)) if b in left and a in right else (a, b)
            if score >= np.float32(threshold):
                found[key] = score
    return found


def as_dict(pairs: module.NearPairs) -> dict[tuple[int, int], float]:
    keys = list(zip(pairs.rows_a.tolist(), pairs.rows_b.tolist(), strict=True))
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, pairs.scores.tolist(), strict=True))


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 40), cuts=st.integers(1, 3), data=st.data())
def test_equals_a_loop(seed: int, n: int, cuts: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(200, n, replace=False)).astype(np.int64)
    shot = snapshot(clustered(rng, n), rows, cuts=cuts)
    some = st.none() | st.lists(st.integers(0, 200), max_size=40).map(lambda given: np.array(given, np.int64))
    left, right = data.draw(some), data.draw(some)
    threshold = data.draw(st.floats(-1, 1, width=32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LEFT", 5)  # so that a few rows make many blocks
        found = near_pairs(shot, threshold, rows=left, against=right)
    assert as_dict(found) == loop(shot, threshold, left, right)


def test_squared_distances_too() -> None:
    rng = np.random.default_rng(3)
    vectors = (10 * rng.standard_normal((60, 4))).astype(np.float32)
    shot = snapshot(vectors, np.arange(60), similarity="l2")
    found = as_dict(near_pairs(shot, -50.0))
    assert 0 < len(found) < 60 * 59 / 2
    assert found == loop(shot, -50.0)


def test_removed_vectors_are_in_no_pair() -> None:
    vectors = np.repeat(np.eye(2, dtype=np.float32)[:1], 4, axis=0)
    segment = Segment(np.arange(4), vectors, dead=np.array([1]))
    shot = VectorSnapshot(VectorSpace("test", 2, "test"), 1, (segment,))
    assert set(as_dict(near_pairs(shot, 0.9))) == {(0, 2), (0, 3), (2, 3)}


def test_between_two_collections_rows_may_be_equal() -> None:
    vectors = np.eye(3, dtype=np.float32)
    left, right = snapshot(vectors, np.arange(3)), snapshot(vectors[::-1].copy(), np.arange(3))
    assert as_dict(near_pairs(left, 0.9, other=right)) == {(0, 2): 1.0, (1, 1): 1.0, (2, 0): 1.0}
    assert as_dict(near_pairs(left, 0.9, rows=np.array([1, 2]), against=np.array([0]), other=right)) == {(2, 0): 1.0}
    elsewhere = VectorSnapshot(VectorSpace("test", 3, "another"), 1, right.segments)
    with pytest.raises(BadInput, match="different embedders"):
        near_pairs(left, 0.9, other=elsewhere)


def test_beside_an_empty_collection_there_is_nothing() -> None:
    left, empty = (snapshot(np.eye(3, dtype=np.float32)[:n], np.arange(n)) for n in (3, 0))
    assert as_dict(near_pairs(left, 0.0, other=empty)) == {}
    assert as_dict(near_pairs(empty, 0.0, other=left)) == {}


def test_memory_does_not_grow_with_the_square() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((8_000, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shot = snapshot(vectors, np.arange(8_000))
    tracemalloc.start()
    try:
        found = near_pairs(shot, 0.75)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.rows_a)
    assert peak < 60e6  # the whole matrix would be 256 MB


def test_bad_input_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    shot = snapshot(np.repeat(np.eye(2, dtype=np.float32)[:1], 50, axis=0), np.arange(50))
    with pytest.raises(BadInput, match="finite score, got nan"):
        near_pairs(shot, float("nan"))
    with pytest.raises(BadShape, match="rows are"):
        near_pairs(shot, 0.5, rows=np.array([0.5]))
    monkeypatch.setattr(module, "MOST_PAIRS", 1000)
    with pytest.raises(TooManyPairs, match="more than 1,000 pairs"):
        near_pairs(shot, 0.5)


def test_a_collection_finds_the_copy(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "photos", 6)
    (tmp_path / "photos" / "again.png").write_bytes(paths[2].read_bytes())
    with lookalike.open(tmp_path / "c.collection") as photos:
        photos.add(tmp_path / "photos")
        rows_a, rows_b, scores = photos.near_pairs(0.9999)
        names = [
            {record.id for record in photos.store.get_rows([a, b]) if record}
            for a, b in zip(rows_a.tolist(), rows_b.tolist(), strict=True)
        ]
    assert names == [{"again.png", "picture-0002.png"}]
    assert scores[0] == pytest.approx(1, abs=1e-6)
