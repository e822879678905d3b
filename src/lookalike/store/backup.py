"""A collection as one file, and back."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import uuid
from pathlib import Path
from typing import Literal

from ..errors import BadInput, NewerFormat, NoSuchFile, StorageFailed
from .connections import explained, uri
from .lock import WriterLock
from .migrations import APPLICATION_ID, VERSION

__all__ = ["backup", "restore"]


def backup(db: sqlite3.Connection, target: Path) -> None:
    """Copy the database to ``target``: written aside, synced, renamed."""
    if target.is_dir():
        raise BadInput(f"{target} is a folder; a backup is one file.", hint=f"Try {target / 'backup.sqlite'}.")
    if target.exists() and _kind(target) != "backup":
        what = "is the collection's own file" if _kind(target) == "collection" else "is no backup of a collection"
        raise BadInput(f"{target} exists and {what}, so it is left alone.", hint="Name another file.")
    _copy(db, target)


def restore(source: Path, folder: Path, file: Path) -> None:
    """Make the database ``file`` inside ``folder`` from a backup; see ``SqliteStore.restore``."""
    if not source.is_file():
        raise NoSuchFile(f"there is no backup at {source}.", hint="Check the path.")
    if _kind(source) == "other":
        raise BadInput(f"{source} is no backup of a collection.", hint="Name a file that `backup` has written.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is there already and is not overwritten.", hint="Name a folder that does not exist.")
    with explained(source), contextlib.closing(sqlite3.connect(uri(source, "ro"), uri=True)) as db:
        found = int(db.execute("PRAGMA user_version").fetchone()[0])
        if found > VERSION:
            raise NewerFormat(
                f"the backup {source} has format {found}; this version of lookalike knows format {VERSION}.",
                hint="Upgrade: pip install --upgrade lookalike",
            )
        fault = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if fault != "ok":
            raise StorageFailed(f"the backup {source} is damaged: {fault}.", hint="Use an older backup.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailed(f"{folder} cannot be made: {error.strerror}.") from error
        with WriterLock(folder).held():
            _copy(db, file, restored=True)


def _copy(db: sqlite3.Connection, target: Path, *, restored: bool = False) -> None:
    aside = target.with_name(f"{target.name}.{secrets.token_hex(6)}.part")
    try:
        with explained(target), contextlib.closing(sqlite3.connect(aside, isolation_level=None)) as copy:
            db.backup(copy)
            # One self-contained file; a restored one goes back to the log that lets readers and a writer share it.
            copy.execute("PRAGMA journal_mode = DELETE")
            if restored:
                # A new name, so that derived files of the original are never taken for those of the copy.
                copy.execute("UPDATE settings SET value = ? WHERE key = 'database'", (uuid.uuid4().hex,))
                copy.execute("PRAGMA journal_mode = WAL")
        try:
            with aside.open("r+b") as written:
                os.fsync(written.fileno())
            aside.replace(target)
        except OSError as error:
            raise StorageFailed(f"{target} could not be written: {error.strerror or error}.") from error
    finally:
        for left in (aside, aside.with_name(aside.name + "-journal"), aside.with_name(aside.name + "-wal")):
            left.unlink(missing_ok=True)


def _kind(file: Path) -> Literal["backup", "collection", "other"]:
    """Say what a file is by its header: application id at byte 68, and at byte 18 whether it has a write-ahead log."""
    try:
        with file.open("rb") as opened:
            header = opened.read(100)
    except OSError as error:
        raise StorageFailed(f"{file} cannot be read: {error.strerror}.", hint="Check its permissions.") from error
    if not header.startswith(b"SQLite format 3\0") or int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        return "other"
    return "collection" if header[18] == 2 else "backup"
