"""Lists of related images, against a loop over all pairs; and the files they are written to."""

from __future__ import annotations

import csv
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import lookalike
from lookalike.collection import Collection, related_files
from lookalike.collection import related as module
from lookalike.collection.confidence import COPIES
from lookalike.collection.related import related
from lookalike.collection.related_files import write_related
from lookalike.errors import BadInput
from lookalike.index.scores import pair_scores
from lookalike.store.sqlite import SqliteStore
from lookalike.testing.store import StoredImage
from lookalike.types import VectorSpace

DIM = 6


def build(folder: Path, n: int, seed: int, *, removed: int = 0) -> Collection:
    """Make a collection of clustered vectors, a third of them of one value of three, some of equal bytes."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(n // 3, 1), DIM))
    made = centres[rng.integers(0, len(centres), n)] + rng.choice([0.0, 0.2, 0.8], (n, 1)) * rng.standard_normal(
        (n, DIM)
    )
    vectors = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    images = [
        StoredImage(
            f"id-{i}",
            f"/x/{i}.jpg",
            content_hash=hashlib.sha256(bytes([int(rng.integers(max(n // 2, 1)))])).hexdigest(),
            metadata={} if i % 3 == 0 else {"object": f"o{rng.integers(max(n // 6, 1))}"},
        )
        for i in range(n)
    ]
    store = SqliteStore.open(folder, create=True)
    space = VectorSpace("test", DIM, "test/1")
    store.add_space(space)
    rows = store.put(images[: n // 2], {space.name: vectors[: n // 2]})
    store.refresh_derived()  # so that some vectors lie in the mapped file, some not, and some of it is dead
    more = store.put(images[n // 2 :], {space.name: vectors[n // 2 :]})
    store.remove([*rows[: removed // 2].tolist(), *more[: removed - removed // 2].tolist()])
    return Collection(store, space.name)


def slowly(photos: Collection, k: int, not_same: bool, group_by: str | None) -> dict[int, list[tuple[int, float]]]:
    records = list(photos)
    vectors = photos.store.vectors("test", [record.row for record in records])
    lists = {}
    for a, record in enumerate(records):
        scores = [float(pair_scores(vectors[[a]], vectors[[b]], "cosine")[0]) for b in range(len(records))]
        value = record.metadata.get(group_by) if group_by else None
        seen: set[str] = set()
        found: list[tuple[int, float]] = []
        for b in sorted(range(len(records)), key=lambda b: (-scores[b], records[b].row)):
            other = records[b]
            theirs = other.metadata.get(group_by) if group_by else None
            if b == a or (not_same and (scores[b] >= COPIES[1] or other.content_hash == record.content_hash)):
                continue
            if theirs is not None and (theirs in seen or (not_same and theirs == value)):
                continue
            if theirs is not None:
                seen.add(theirs)
            found.append((other.row, scores[b]))
        lists[record.row] = found[:k]
    return lists


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(0, 90),
    seed=st.integers(0, 999),
    k=st.integers(1, 12),
    not_same=st.booleans(),
    group_by=st.sampled_from([None, "object"]),
    removed=st.integers(0, 6),
)
def test_lists_are_those_of_a_loop_over_all_pairs(
    n: int, seed: int, k: int, not_same: bool, group_by: str | None, removed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, build(Path(folder) / "c", n, seed, removed=removed) as photos:
        if group_by and not any("object" in record.metadata for record in photos):
            return
        lists = related(photos, k, not_same=not_same, group_by=group_by)
        found = {
            int(row): list(zip(*(part.tolist() for part in lists.of(place)), strict=True))
            for place, row in enumerate(lists.rows)
        }
        assert found == slowly(photos, k, not_same, group_by)
        assert (np.diff(lists.rows) > 0).all()


def test_a_deep_search_goes_on_in_small_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 16)
    monkeypatch.setattr(module, "_MOST", 200)
    with build(tmp_path / "c", 120, 5) as photos:
        steps: list[tuple[int, int]] = []
        lists = related(photos, 60, not_same=True, group_by="object", on_progress=lambda *step: steps.append(step))
        found = {int(row): lists.of(place)[0].tolist() for place, row in enumerate(lists.rows)}
        expected = slowly(photos, 60, True, "object")
        assert found == {row: [other for other, _ in pairs] for row, pairs in expected.items()}
        assert steps[-1] == (120, 120)
        assert [done for done, _ in steps] == sorted({done for done, _ in steps})


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    with build(tmp_path / "c", 40, 1, removed=4) as made:
        yield made


def test_the_three_files_say_the_same(photos: Collection, tmp_path: Path) -> None:
    lists = related(photos, 5)
    names = {record.row: record.id for record in photos}
    expected = [
        (names[int(row)], rank, names[other], score)
        for place, row in enumerate(lists.rows)
        for rank, (other, score) in enumerate(zip(*(part.tolist() for part in lists.of(place)), strict=True), start=1)
    ]
    for suffix in related_files.SUFFIXES:
        write_related(photos, lists, tmp_path / f"out{suffix}")
    with (tmp_path / "out.csv").open(newline="") as file:
        read = [(row["id"], int(row["rank"]), row["related_id"], float(row["score"])) for row in csv.DictReader(file)]
    assert [row[:3] for row in read] == [row[:3] for row in expected]
    assert [row[3] for row in read] == pytest.approx([row[3] for row in expected], abs=1e-6)
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [tuple(row.values()) for row in table] == expected
    matrix = scipy.sparse.load_npz(tmp_path / "out.npz")
    ids = np.load(tmp_path / "out.npz")["ids"]
    assert matrix.shape == (36, 36)
    coordinates = matrix.tocoo()
    assert [
        (str(ids[a]), str(ids[b]), score)
        for a, b, score in zip(coordinates.row, coordinates.col, coordinates.data.tolist(), strict=True)
    ] == [(a, b, score) for a, _, b, score in expected]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "out.csv", "out.npz", "out.parquet"]


def test_a_writing_that_fails_leaves_the_old_file(photos: Collection, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    lists = related(photos, 5)
    photos.close()  # ids can no longer be looked up
    with pytest.raises(lookalike.errors.StorageFailed, match="has been closed"):
        write_related(photos, lists, target)
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "out.csv"]


def test_a_record_that_is_removed_meanwhile_is_left_out(photos: Collection, tmp_path: Path) -> None:
    lists = related(photos, 5)
    gone = next(iter(photos)).id
    photos.remove(gone)
    write_related(photos, lists, tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_text()
    assert f"{gone}," not in text
    assert text.count("\n") > 100


def test_what_cannot_be_written_is_refused_before_the_work(photos: Collection, tmp_path: Path) -> None:
    lists = related(photos, 5)
    for name, said in (("x.txt", "suffixes"), ("no/x.csv", "no folder"), ("c", "suffixes")):
        with pytest.raises(BadInput, match=said):
            write_related(photos, lists, tmp_path / name)
    with pytest.raises(BadInput, match="k must be"):
        related(photos, 0)
