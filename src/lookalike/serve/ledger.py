"""What the server must remember of a collection, in ``service.sqlite`` beside it: jobs, clicks, classifiers' scores."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..store.connections import explained

__all__ = ["Ledger"]

FILE = "service.sqlite"
_WAIT_S = 10.0
_AT_ONCE = 500  # values of one statement

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
CREATE TABLE IF NOT EXISTS scores (
    classifier TEXT NOT NULL, content_hash TEXT NOT NULL, score REAL NOT NULL, PRIMARY KEY (classifier, content_hash)
) WITHOUT ROWID;
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
    def reading(self, table: str = "shown") -> Iterator[sqlite3.Connection | None]:
        """Lend a connection; None where the table was never made."""
        if not self.file.exists():
            yield None
            return
        with self._open() as db:
            known = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            yield db if known else None

    def scores(self, classifier: str, hashes: Sequence[str]) -> dict[str, float]:
        """Return what a classifier said of pictures, by the hash of their bytes; unknown ones are left out."""
        with self.reading("scores") as db:
            if db is None:
                return {}
            asked = "SELECT content_hash, score FROM scores WHERE classifier = ? AND content_hash IN "
            return {
                each: score
                for start in range(0, len(hashes), _AT_ONCE)
                for part in [hashes[start : start + _AT_ONCE]]
                for each, score in db.execute(f"{asked}({', '.join('?' * len(part))})", [classifier, *part])
            }

    def keep_scores(self, classifier: str, scores: Mapping[str, float]) -> None:
        """Keep what a classifier said."""
        if scores:
            rows = [(classifier, each, score) for each, score in scores.items()]
            with self.changing() as db:
                db.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?)", rows)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with explained(self.file):
            db = sqlite3.connect(self.file, timeout=_WAIT_S, isolation_level=None)
            try:
                yield db
            finally:
                db.close()  # rolls back what was not committed
