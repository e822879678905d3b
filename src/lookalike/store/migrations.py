"""The format of the database, as the numbered steps that lead to it. Each step says why it was taken.

A step is never edited once it has been released: a new one is added. ``PRAGMA user_version`` counts the steps taken.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Sequence

from .words import create_words, put_words

__all__ = ["APPLICATION_ID", "MIGRATIONS", "VERSION", "migrate"]

APPLICATION_ID = 0x6C6B616C  # "lkal" in the header of the file: what tells our databases from anybody else's


def _001_start(db: sqlite3.Connection) -> None:
    """Records, roots, vector spaces, settings, and a clock.

    - ``row`` is AUTOINCREMENT, so that a removed record's number never comes back and an old index cannot mean
      another picture by it.
    - ``source`` and ``roots.path`` are the bytes of the path: file names need not be valid UTF-8. The whole source is
      stored, not the part below the root, so that one look-up finds a file however nested roots were indexed.
    - ``clock.seq`` grows with every transaction and is written beside what changed: what lets a derived file be brought
      up to date by reading the changes alone. ``gone`` remembers vectors that are no more, for the same reason.
    - Each vector space has a table ``vectors_<id>`` of its own, made by ``add_space``: rows of one size in the order of
      ``row``, which is the order they are read in.
    """
    db.execute("CREATE TABLE clock (seq INTEGER NOT NULL)")
    db.execute("INSERT INTO clock VALUES (0)")
    db.execute("CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    db.execute("CREATE TABLE roots (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE)")
    db.execute(
        """CREATE TABLE records (
            row INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            source BLOB NOT NULL,
            root_id INTEGER REFERENCES roots (id),
            size INTEGER,
            mtime_ns INTEGER,
            content_hash BLOB,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            metadata TEXT NOT NULL,
            indexed_ns INTEGER NOT NULL,
            seq INTEGER NOT NULL
        )"""
    )
    db.execute("CREATE INDEX records_by_source ON records (source)")
    db.execute("CREATE INDEX records_by_content ON records (content_hash) WHERE content_hash IS NOT NULL")
    db.execute(
        """CREATE TABLE spaces (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            dim INTEGER NOT NULL,
            kind TEXT NOT NULL,
            similarity TEXT NOT NULL,
            fingerprint TEXT NOT NULL
        )"""
    )
    db.execute("CREATE TABLE gone (seq INTEGER NOT NULL, space_id INTEGER NOT NULL, row INTEGER NOT NULL)")
    db.execute("CREATE INDEX gone_by_seq ON gone (space_id, seq)")
    # Derived files carry this name, so that one left over from another database is never taken for ours.
    db.execute("INSERT INTO settings VALUES ('database', ?)", (uuid.uuid4().hex,))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _002_words(db: sqlite3.Connection) -> None:
    """A full-text index over ids, file names and metadata, so that words find images where no model reads them.

    It holds its own copy of the texts: those are made of JSON and of bytes, which triggers cannot take apart. It is
    changed in the transactions that change the records, so neither is ever ahead of the other.
    """
    create_words(db)
    columns = ("row", "id", "source", "metadata")
    found = db.execute(f"SELECT {', '.join(columns)} FROM records ORDER BY row")
    put_words(db, (dict(zip(columns, values, strict=True)) for values in found))


def _003_regions(db: sqlite3.Connection) -> None:
    """Which spaces hold parts of images, each with a vector and a box of its own, beside the whole images.

    Their vectors lie in a table ``regions_<space id>``, made when the first are put, and not among those of the whole
    images: whoever compares images with images reads what he always read, and a collection without regions is as it
    was. A part's key is the row of its image times 1024, and its place among that image's parts: so all parts of an
    image are one range, in the order of the images, and no table says whose a part is.
    """
    db.execute("ALTER TABLE spaces ADD COLUMN regions INTEGER NOT NULL DEFAULT 0")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_001_start, _002_words, _003_regions)
VERSION = len(MIGRATIONS)


def migrate(db: sqlite3.Connection, steps: Sequence[Callable[[sqlite3.Connection], None]] = MIGRATIONS) -> int:
    """Take the steps that are missing, all or none, and return how many there were; needs the writer's lock."""
    db.execute("BEGIN IMMEDIATE")
    try:
        found = int(db.execute("PRAGMA user_version").fetchone()[0])
        for step in steps[found:]:
            step(db)
        db.execute(f"PRAGMA user_version = {max(found, len(steps))}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return max(0, len(steps) - found)
