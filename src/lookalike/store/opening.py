"""Finding, making and bringing up to date the folder of a collection."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from ..errors import NewerFormat, NoCollection, StorageFailed
from .connections import Connections, explained, uri
from .lock import WriterLock
from .migrations import APPLICATION_ID, VERSION, migrate

__all__ = ["FILE", "open_folder"]

FILE = "collection.sqlite"
_OURS = {"writer.lock", "writer.pid", "derived", FILE, FILE + "-wal", FILE + "-shm", FILE + "-journal"}
_WAIT_S = 10  # for a process that makes or migrates the collection at this very moment: better than to complain


def open_folder(path: Path, create: bool) -> tuple[Connections, WriterLock]:
    """Open a collection's database in the format of this version; see ``SqliteStore.open``."""
    file = path / FILE
    lock = WriterLock(path)
    if not _exists(file):
        _make_folder(path, create)
        with lock.held(wait_s=_WAIT_S), explained(file):
            made = sqlite3.connect(uri(file, "rwc"), uri=True, isolation_level=None)
            with contextlib.closing(made):
                # 16 KiB pages: vectors of 512 floats fill 4 KiB pages by half.
                made.execute("PRAGMA page_size = 16384")
                made.execute("PRAGMA journal_mode = WAL")
                migrate(made)
    connections = Connections(file)
    try:
        _bring_up_to_date(connections, lock, create)
    except BaseException:
        connections.close()
        raise
    return connections, lock


def _exists(file: Path) -> bool:
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StorageFailed(f"{file} cannot be read: {error.strerror}.", hint="Check its permissions.") from error
    return True


def _make_folder(path: Path, create: bool) -> None:
    if path.exists() and not path.is_dir():
        raise NoCollection(f"{path} is a file, not the folder of a collection.", hint="Name a folder.")
    if not create:
        raise NoCollection(
            f"there is no collection at {path}.", hint="Make one with `lookalike index FOLDER`, or name another path."
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
        others = sorted(entry.name for entry in path.iterdir() if entry.name not in _OURS)
    except OSError as error:
        raise StorageFailed(f"the collection {path} cannot be made: {error.strerror}.") from error
    if others:
        raise NoCollection(
            f"the folder {path} holds other things ({others[0]!r} for one), so no collection is made in it.",
            hint="Name a folder that is empty or does not exist yet.",
        )


def _bring_up_to_date(connections: Connections, lock: WriterLock, create: bool) -> None:
    with connections.use() as db:
        application = int(db.execute("PRAGMA application_id").fetchone()[0])
        found = int(db.execute("PRAGMA user_version").fetchone()[0])
        tables = int(db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0])
    folder = connections.file.parent
    if application != APPLICATION_ID and (tables or not create):
        # An empty database is what remains when the making of a collection was cut short.
        raise NoCollection(f"{connections.file} is not a collection of lookalike.", hint="Name another path.")
    if found > VERSION:
        raise NewerFormat(
            f"the collection {folder} has format {found}; this version of lookalike knows format {VERSION}.",
            hint="Upgrade: pip install --upgrade lookalike",
        )
    if found < VERSION:
        with lock.held(wait_s=_WAIT_S), connections.use() as db:
            db.execute("PRAGMA journal_mode = WAL")
            migrate(db)
