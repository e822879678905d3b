from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from lookalike.errors import BadInput, NewerFormat, NoSuchFile, StorageFailed
from lookalike.store.sqlite import FILE, SqliteStore
from lookalike.testing.store import StoredImage, unit_vectors
from lookalike.types import VectorSpace

SPACE = VectorSpace("s", 8, "f")


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    made = SqliteStore.open(tmp_path / "c", create=True)
    made.add_space(SPACE)
    made.put([StoredImage(f"{i}", f"/r/{i}", "/r", metadata={"i": i}) for i in range(30)], {"s": unit_vectors(30, 8)})
    made.refresh_derived()
    return made


def test_a_backup_restores_everything(store: SqliteStore, tmp_path: Path) -> None:
    store.backup(tmp_path / "b.sqlite")
    store.backup(tmp_path / "b.sqlite")  # an older backup is replaced
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b.sqlite", "c"]
    with SqliteStore.restore(tmp_path / "b.sqlite", tmp_path / "deep" / "r") as back:
        assert list(back.records()) == list(store.records())
        assert back.spaces() == store.spaces()
        np.testing.assert_array_equal(back.snapshot("s").vectors, store.snapshot("s").vectors)
        new = back.put([StoredImage("new", "/r/new")], {"s": unit_vectors(1, 8)})
        assert new[0] > max(record.row for record in store.records())


def test_a_backup_while_a_writer_writes_is_of_one_moment(store: SqliteStore, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        i = 0
        while not stop.is_set():
            store.put([StoredImage(f"w{i}-{j}", f"/w/{i}-{j}") for j in range(3)], {"s": unit_vectors(3, 8)})
            i += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for attempt in range(5):
            store.backup(tmp_path / f"{attempt}")
    finally:
        stop.set()
        writer.join()
    for attempt in range(5):
        with SqliteStore.restore(tmp_path / f"{attempt}", tmp_path / f"r{attempt}") as back:
            assert back.count() % 3 == 0
            assert len(back.snapshot("s")) == back.count()


def test_what_a_backup_does_not_overwrite(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"precious")
    with pytest.raises(BadInput, match="no backup of a collection, so it is left alone"):
        store.backup(tmp_path / "photo.jpg")
    assert (tmp_path / "photo.jpg").read_bytes() == b"precious"
    with pytest.raises(BadInput, match="is a folder"):
        store.backup(tmp_path)
    with pytest.raises(StorageFailed, match="nowhere"):
        store.backup(tmp_path / "nowhere" / "b.sqlite")
    with pytest.raises(BadInput, match="is the collection's own file"):
        store.backup(store.path / FILE)


def test_what_cannot_be_restored(store: SqliteStore, tmp_path: Path) -> None:
    backup = tmp_path / "b.sqlite"
    store.backup(backup)
    with pytest.raises(BadInput, match="is there already and is not overwritten"):
        SqliteStore.restore(backup, store.path)
    with pytest.raises(NoSuchFile, match="no backup at"):
        SqliteStore.restore(tmp_path / "nothing", tmp_path / "r")
    (tmp_path / "text").write_text("no database")
    with pytest.raises(BadInput, match="is no backup of a collection"):
        SqliteStore.restore(tmp_path / "text", tmp_path / "r")
    raw = bytearray(backup.read_bytes())
    (tmp_path / "cut").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(StorageFailed, match="damaged"):
        SqliteStore.restore(tmp_path / "cut", tmp_path / "r")
    with sqlite3.connect(backup) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(NewerFormat, match="format 99"):
        SqliteStore.restore(backup, tmp_path / "r")
    assert not (tmp_path / "r").exists()
