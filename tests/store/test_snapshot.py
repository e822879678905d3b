"""The derived file: torn, foreign, old or missing, it never changes what a snapshot shows."""

from __future__ import annotations

import os
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lookalike.store import derived
from lookalike.store.snapshot import Identity, map_vectors, write_vectors
from lookalike.store.sqlite import FILE, SqliteStore
from lookalike.testing.store import StoredImage, unit_vectors
from lookalike.types import Rows, Vectors, VectorSpace

SPACE = VectorSpace("onnx:/models/é v1.onnx", 8, "f")


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    made = SqliteStore.open(tmp_path / "c", create=True)
    made.add_space(SPACE)
    put(made, 0, 50)
    made.refresh_derived()
    return made


def put(store: SqliteStore, start: int, stop: int, seed: int = 0) -> Rows:
    images = [StoredImage(f"{i}", f"/r/{i}", "/r", content_hash=f"{seed:064x}") for i in range(start, stop)]
    return store.put(images, {SPACE.name: unit_vectors(stop - start, SPACE.dim, seed + start)})


def derived_file(store: SqliteStore) -> Path:
    (only,) = (store.path / "derived").iterdir()
    return only


def shows_the_truth(store: SqliteStore) -> bool:
    shown = store.snapshot(SPACE.name)
    rows = [record.row for record in store.records()]
    return shown.rows.tolist() == rows and np.array_equal(shown.vectors, store.vectors(SPACE.name, rows))


def test_an_unchanged_collection_is_mapped_not_read(store: SqliteStore) -> None:
    shown = store.snapshot(SPACE.name)
    (segment,) = shown.segments
    assert segment.vectors is shown.vectors
    assert not segment.vectors.flags.owndata
    assert not segment.vectors.flags.writeable
    assert segment.vectors.ctypes.data % 64 == 0
    assert shown.version == store.version


@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "header", "noise", "missing", "folder missing"])
def test_a_torn_file_is_made_again(store: SqliteStore, damage: str) -> None:
    file = derived_file(store)
    raw = file.read_bytes()
    rng = random.Random(0)
    torn = {
        "cut": raw[:-1],
        "longer": raw + b"\0",
        "empty": b"",
        "header": bytes([*raw[:60], raw[60] ^ 1, *raw[61:]]),
        "noise": rng.randbytes(len(raw)),
    }
    file.unlink()
    if damage in torn:
        file.write_bytes(torn[damage])
    elif damage == "folder missing":
        file.parent.rmdir()
    assert shows_the_truth(store)
    assert file.read_bytes() == raw, "and it was written again"


def test_changes_since_the_file_was_written_are_shown(store: SqliteStore) -> None:
    file = derived_file(store)
    before = file.stat().st_mtime_ns, file.stat().st_ino
    old = store.snapshot(SPACE.name)
    rows = put(store, 40, 60, seed=1)  # ten replaced, ten new
    store.remove([1, 2, int(rows[0]), int(rows[-1])])
    store.put([StoredImage("5", "/r/5", "/r", content_hash="e" * 64)], {})  # other bytes, no vector yet
    shown = store.snapshot(SPACE.name)
    assert len(shown) == 50 - 3 - 9 - 1 + 9 + 9
    kept = [record.row for record in store.records() if record.id != "5"]
    assert shown.rows.tolist() == kept
    np.testing.assert_array_equal(shown.vectors, store.vectors(SPACE.name, kept))
    assert len(shown.segments) == 2
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before, "the file was left alone"
    assert len(old) == 50, "an older snapshot stays what it was"


def test_a_small_change_maps_nothing_anew(store: SqliteStore) -> None:
    """Else a search after each change would touch every page of the file for the first time."""
    before = store.snapshot(SPACE.name).segments[0]
    put(store, 50, 51)
    after = store.snapshot(SPACE.name).segments
    assert after[0].vectors.ctypes.data == before.vectors.ctypes.data
    put(store, 51, 99)
    store.refresh_derived()  # another file: another mapping, and the old one still shows what it did
    assert len(store.snapshot(SPACE.name).segments[0]) == 99
    np.testing.assert_array_equal(before.vectors, store.vectors(SPACE.name, before.rows.tolist()))


def test_a_small_change_is_read_without_reading_everything(store: SqliteStore) -> None:
    """SQLite reads the whole table when it is asked for the order of rows in another way."""
    put(store, 50, 51)
    asked: list[str] = []
    with store._connections.reading() as db:
        db.set_trace_callback(asked.append)
    try:
        store.snapshot(SPACE.name)
    finally:
        with store._connections.reading() as db:
            db.set_trace_callback(None)
            plans = [
                step[3]
                for query in asked
                if query.startswith("SELECT") and "vectors_" in query
                for step in db.execute(f"EXPLAIN QUERY PLAN {query}")
            ]
    assert plans
    assert [step for step in plans if step.startswith("SCAN")] == []


def test_many_changes_are_written_down(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "far_behind", lambda n, changes: changes > 10)
    put(store, 50, 55)
    assert len(store.snapshot(SPACE.name).segments) == 2
    put(store, 55, 65)
    assert len(store.snapshot(SPACE.name).segments) == 1
    assert shows_the_truth(store)


def test_refresh_leaves_a_file_alone_that_is_in_step(store: SqliteStore) -> None:
    inode = derived_file(store).stat().st_ino
    store.set_setting("a", "b")
    store.refresh_derived()
    assert derived_file(store).stat().st_ino == inode
    put(store, 50, 60)
    store.refresh_derived()
    assert len(store.snapshot(SPACE.name).segments) == 1
    assert shows_the_truth(store)


def test_a_file_of_another_collection_is_not_taken_for_ours(store: SqliteStore, tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "other", create=True) as other:
        other.add_space(SPACE)
        put(other, 0, 50, seed=9)
        other.refresh_derived()
        derived_file(store).write_bytes(derived_file(other).read_bytes())
    assert shows_the_truth(store)


def test_a_file_ahead_of_a_database_that_was_copied_back_is_made_again(store: SqliteStore) -> None:
    store.close()
    earlier = (store.path / FILE).read_bytes()
    with SqliteStore.open(store.path) as later:
        put(later, 0, 50, seed=3)
        later.refresh_derived()
    (store.path / FILE).write_bytes(earlier)
    with SqliteStore.open(store.path) as back:
        assert shows_the_truth(back)


def test_what_interrupted_writers_left_is_swept(store: SqliteStore) -> None:
    old, young = derived_file(store).with_name("x.part"), derived_file(store).with_name("y.part")
    for part in (old, young):
        part.touch()
    os.utime(old, (1, 1))
    store.refresh_derived()
    assert (old.exists(), young.exists()) == (False, True)


def test_memory_for_writing_does_not_depend_on_how_many(tmp_path: Path) -> None:
    identity = Identity("0" * 32, VectorSpace("s", 64, "f"))

    def batches(n: int) -> Iterator[tuple[Rows, Vectors]]:
        for start in range(0, n, 1000):
            yield np.arange(start, start + 1000), np.full((1000, 64), start, np.float32)

    peaks = []
    for n in (20_000, 80_000):
        tracemalloc.start()
        mapped = write_vectors(tmp_path / "f", identity, 7, n, batches(n))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert mapped is not None
        assert mapped.seq == 7
        np.testing.assert_array_equal(mapped.rows, np.arange(n))
        assert (mapped.vectors[:, 5] == np.arange(n) // 1000 * 1000).all()
    assert peaks[1] < 1.2 * peaks[0]


def test_an_empty_space_has_a_file_too(tmp_path: Path) -> None:
    identity = Identity("0" * 32, SPACE)
    mapped = write_vectors(tmp_path / "derived" / "f", identity, 1, 0, iter(()))
    assert mapped is not None
    assert mapped.vectors.shape == (0, 8)
    assert map_vectors(tmp_path / "derived" / "f", Identity("0" * 32, VectorSpace(SPACE.name, 9, "f"))) is None
    assert map_vectors(tmp_path / "derived" / "f", Identity("0" * 32, VectorSpace(SPACE.name, 8, "g"))) is None
    assert map_vectors(tmp_path / "derived" / "f", Identity("1" * 32, SPACE)) is None
