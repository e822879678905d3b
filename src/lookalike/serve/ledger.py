"""What the server itself must remember of a collection: its jobs and the click log, in ``service.sqlite`` beside it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from ..store.connections import explained

__all__ = ["Ledger"]

FILE = "service.sqlite"
_WAIT_S = 10.0

_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, owner TEXT, beat REAL,
    cancelled INTEGER NOT NULL DEFAULT 0, spec TEXT NOT NULL, progress TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS shown (
    search_id TEXT NOT NULL, time REAL NOT NULL, query_id TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL,
    clicked INTEGER NOT NULL, judged INTEGER NOT NULL, PRIMARY KEY (search_id, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS shown_by_time ON shown (time);
"""


class Ledger:
    """One file; made when something is first written. Several processes may use it at once.

    Args:
        folder: of the collection.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self._guard = threading.Lock()
        self._made = False

    @contextlib.contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Lend a transaction; committed when the block ends well, and then it survives ``kill -9``."""
        with self._open() as db:
            with self._guard:
                if not self._made:
                    db.execute("PRAGMA journal_mode = WAL")
                    db.executescript(_TABLES)
                    self._made = True
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Lend a connection; None where nothing was ever written."""
        if not self.file.exists():
            yield None
            return
        with self._open() as db:
            known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'shown'").fetchone()
            yield db if known else None

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with explained(self.file):
            db = sqlite3.connect(self.file, timeout=_WAIT_S, isolation_level=None)
            try:
                yield db
            finally:
                db.close()  # rolls back what was not committed
