from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lookalike.store.migrations import APPLICATION_ID, MIGRATIONS, VERSION, migrate
from lookalike.store.sqlite import FILE, SqliteStore


def tables(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM sqlite_master ORDER BY name")]


def version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def test_from_nothing_and_again() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    assert migrate(db) == VERSION
    assert (version(db), db.execute("PRAGMA application_id").fetchone()[0]) == (VERSION, APPLICATION_ID)
    first = tables(db)
    assert migrate(db) == 0
    assert tables(db) == first
    db.close()


def test_a_step_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "x", isolation_level=None)
    migrate(db)
    before = tables(db)

    def half(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (x)")
        db.execute("DROP TABLE settings")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate(db, [*MIGRATIONS, half])
    assert (version(db), tables(db)) == (VERSION, before)
    db.close()


def test_a_migration_that_is_killed_half_way_is_taken_back(tmp_path: Path) -> None:
    """What remains on the disk when the process dies inside the transaction: copied away, then opened."""
    path = tmp_path / "c"
    SqliteStore.open(path, create=True).close()
    db = sqlite3.connect(path / FILE, isolation_level=None)
    db.execute("PRAGMA cache_size = 1")  # so that unfinished pages do reach the log
    db.execute("BEGIN IMMEDIATE")
    db.execute("DROP TABLE records")
    db.execute("CREATE TABLE filler (x)")
    db.executemany("INSERT INTO filler VALUES (?)", [(b"x" * 9000,)] * 200)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    (tmp_path / "killed").mkdir()
    for each in path.iterdir():
        if each.name.startswith(FILE) and not each.name.endswith("-shm"):
            (tmp_path / "killed" / each.name).write_bytes(each.read_bytes())
    db.close()
    assert (tmp_path / "killed" / (FILE + "-wal")).stat().st_size > 100_000
    with SqliteStore.open(tmp_path / "killed") as store:
        assert store.count() == 0


def test_every_step_says_why() -> None:
    for step in MIGRATIONS:
        assert step.__doc__
