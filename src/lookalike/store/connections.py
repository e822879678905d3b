"""Connections to one SQLite file, shared by threads, and SQLite's errors in the words of a person."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from ..errors import CollectionBusy, CollectionError, StorageFailed

__all__ = ["Connections", "explained", "uri"]

_WAIT_S = 30.0  # how long SQLite itself waits for a lock: held for moments only, by recovery and checkpoints
_IDLE = 8  # connections kept for the next caller; each holds up to 2 MB of pages
_FORKED: list[sqlite3.Connection] = []  # a child process must neither use nor close what its parent opened


def uri(file: Path, mode: str) -> str:
    """Return the ``file:`` address of a path with SQLite's open mode, e.g. ``ro``."""
    return f"{file.absolute().as_uri()}?mode={mode}"


def explain(error: sqlite3.Error, file: Path) -> CollectionError | None:
    """Return what the user should be told, or None when the fault is ours."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL"):
        return StorageFailed(
            f"the disk that holds {file} is full; the last change was not made, everything before it is safe.",
            hint="Free some space and run the same command again.",
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StorageFailed(
            f"{file} is damaged or is no database ({error}).",
            hint="Restore the collection from a backup, or index the images again into a new one.",
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return StorageFailed(
            f"{file} cannot be written ({error}).",
            hint="Check the permissions of the file and its folder, and that the disk is not mounted read-only.",
        )
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_NOLFS", "SQLITE_TOOBIG")):
        return StorageFailed(
            f"{file} could not be read or written ({name}: {error}); the last change was not made.",
            hint="Check that its disk is there, not full and not failing, and the permissions of the folder.",
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return CollectionBusy(
            f"{file} is held by another program ({error}).", hint="Wait until it is done, then try again."
        )
    return None


@contextlib.contextmanager
def explained(file: Path) -> Iterator[None]:
    """Turn SQLite's errors about the disk and the file into ours; let programming errors through."""
    try:
        yield
    except sqlite3.Error as error:
        told = explain(error, file)
        if told is None:
            raise
        raise told from error


class Connections:
    """A pool of connections to one database file: one a thread that works at this moment, used again afterwards."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._idle: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._pid = os.getpid()
        self._closed = False

    @contextlib.contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in autocommit mode; whatever transaction is left open is rolled back."""
        with explained(self.file):
            connection, keep = self._take()
            try:
                yield connection
            except BaseException:
                connection.close()  # after an error its state is not worth guessing; closing rolls back
                raise
            self._give(connection, keep)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees the database at one moment, whatever others commit meanwhile."""
        with self.use() as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection inside a transaction that is committed, and on disk, when the block ends well."""
        with self.use() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close the idle connections; one that is lent is closed when it comes back."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
        if self._pid == os.getpid():
            for connection in idle:
                connection.close()

    def _take(self) -> tuple[sqlite3.Connection, bool]:
        with self._guard:
            if self._closed:
                raise StorageFailed(f"{self.file.parent} has been closed.", hint="Open the collection again.")
            if self._pid != os.getpid():
                _FORKED.extend(self._idle)
                self._idle, self._pid = [], os.getpid()
            if self._idle:
                return self._idle.pop(), True
        return self._connect()

    def _give(self, connection: sqlite3.Connection, keep: bool) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        with self._guard:
            if keep and not self._closed and self._pid == os.getpid() and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> tuple[sqlite3.Connection, bool]:
        """Return a new connection, and whether it may be used again."""
        try:
            return self._open("rw"), True
        except sqlite3.OperationalError:
            if os.access(self.file.parent, os.W_OK):
                raise
        # We may not write the folder, so SQLite may not be able to make the files of its write-ahead log.
        try:
            return self._open("ro"), True
        except sqlite3.OperationalError:
            log = self.file.with_name(self.file.name + "-wal")
            if log.exists() and log.stat().st_size:
                raise  # ``immutable`` would read the file without what the log holds
        # Whoever may write the folder can change the file under an immutable connection: it is never kept.
        return self._open("ro&immutable=1"), False

    def _open(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri(self.file, mode), uri=True, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            # FULL: what was acknowledged survives a power cut, not only kill -9. It costs one sync a transaction,
            # and transactions are batches.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # opens the write-ahead log
        except BaseException:
            connection.close()
            raise
        return connection
