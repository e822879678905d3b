"""Keeping the derived files in step with the database."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import StorageFailed, UnknownName
from ..nearest_name import choices
from ..types import Rows, Segment, Vectors, VectorSpace
from .connections import Connections
from .snapshot import Identity, MappedFiles, MappedVectors, VectorSnapshot, write_vectors

__all__ = ["far_behind", "refresh", "region_snapshot", "snapshot", "sweep"]

_BATCH_BYTES = 1 << 20  # vectors held at a time while a file is written, and a few times as much around it

# (vectors in the file, changes since) -> whether to write it anew. A reader bears more changes in memory than the end
# of an indexing run leaves behind, so that readers beside a writer rarely write.
Behind = Callable[[int, int], bool]


def far_behind(n: int, changes: int) -> bool:
    """Say when a reader should rather write the file anew than read the changes each time."""
    return changes > 4096 + n // 4


def _worth_writing(n: int, changes: int) -> bool:
    return changes > n // 50


@dataclass(frozen=True, slots=True)
class _Table:
    """Where the vectors lie that a file is derived from."""

    identity: Identity
    name: str  # of the table: columns ``row``, ``seq`` and ``vector``
    number: int  # what ``gone`` calls it
    file: str

    @property
    def space(self) -> VectorSpace:
        return self.identity.space


def snapshot(folder: Path, connections: Connections, name: str, behind: Behind, files: MappedFiles) -> VectorSnapshot:
    """Return the vectors of a space at this moment; see ``SqliteStore.snapshot``."""
    with connections.reading() as db:
        return _snapshot(db, folder, _tables(db, name)[0], behind, files)


def region_snapshot(
    folder: Path, connections: Connections, name: str, behind: Behind, files: MappedFiles
) -> VectorSnapshot | None:
    """Return the vectors of the parts of images; None where the space has never had any."""
    with connections.reading() as db:
        tables = _tables(db, name)
        return _snapshot(db, folder, tables[1], behind, files) if len(tables) > 1 else None


def _snapshot(
    db: sqlite3.Connection, folder: Path, table: _Table, behind: Behind, files: MappedFiles
) -> VectorSnapshot:
    seq = _clock(db)
    file = folder / "derived" / table.file
    mapped = files.map(file, table.identity)
    # A file ahead of the database is of a later state that a crash or a copied-back file has undone.
    if mapped is not None and (mapped.seq > seq or behind(len(mapped.rows), _changes(db, table, mapped.seq))):
        mapped = None
    if mapped is None:
        files.forget(file)
        with contextlib.suppress(OSError):
            mapped = _write(db, file, table, seq)
    if mapped is None:
        rows, vectors = _collect(_batches(db, table, -1), table.space)
        return VectorSnapshot(table.space, seq, (Segment(rows, vectors),))
    return VectorSnapshot(table.space, seq, _with_changes(db, table, mapped))


def refresh(folder: Path, connections: Connections, name: str, files: MappedFiles) -> None:
    """Write the files of one space anew unless they are in step, or nearly."""
    file = folder
    try:
        with connections.reading() as db:
            seq = _clock(db)
            for table in _tables(db, name):
                file = folder / "derived" / table.file
                mapped = files.map(file, table.identity)
                if (
                    mapped is None
                    or mapped.seq > seq
                    or _worth_writing(len(mapped.rows), _changes(db, table, mapped.seq))
                ):
                    mapped = None
                    files.forget(file)
                    _write(db, file, table, seq)
    except OSError as error:
        if isinstance(error, StorageFailed):
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise StorageFailed(
            f"{file} could not be written: {'the disk is full' if full else error.strerror or error}.",
            hint="The collection itself is safe; this file only makes searching faster and will be written again.",
        ) from error


def sweep(folder: Path) -> None:
    """Delete what interrupted writers left aside; younger than an hour it may still be written to."""
    with contextlib.suppress(OSError):
        for part in (folder / "derived").glob("*.part"):
            if part.stat().st_mtime < time.time() - 3600:
                part.unlink()


def _tables(db: sqlite3.Connection, name: str) -> list[_Table]:
    """Return the table of a space's whole images, and that of their parts where it has one."""
    found = db.execute(
        "SELECT id, regions, name, dim, fingerprint, kind, similarity FROM spaces WHERE name = ?", (name,)
    ).fetchone()
    if found is None:
        known = [str(row[0]) for row in db.execute("SELECT name FROM spaces ORDER BY id")]
        raise UnknownName(f"there is no vector space {name!r}.", hint=choices(name, known))
    database = db.execute("SELECT value FROM settings WHERE key = 'database'").fetchone()[0]
    space_id, space = int(found[0]), VectorSpace(*found[2:])
    file = _file_name(space_id, space)
    tables = [_Table(Identity(database, space), f"vectors_{space_id}", space_id, file)]
    if found[1]:
        parts = f"{file.removesuffix('.vectors')}.regions.vectors"
        tables.append(_Table(Identity(database, space, True), f"regions_{space_id}", -space_id, parts))
    return tables


def _file_name(space_id: int, space: VectorSpace) -> str:
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", space.name)[:60].strip(".-") or "space"
    digest = hashlib.sha256(space.name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable}-{space_id}-{digest}.vectors"


def _clock(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT seq FROM clock").fetchone()[0])


def _changes(db: sqlite3.Connection, table: _Table, since: int) -> int:
    (changed,) = db.execute(f"SELECT COUNT(*) FROM {table.name} WHERE seq > ?", (since,)).fetchone()
    (gone,) = db.execute("SELECT COUNT(*) FROM gone WHERE space_id = ? AND seq > ?", (table.number, since)).fetchone()
    return int(changed) + int(gone)


def _batches(db: sqlite3.Connection, table: _Table, since: int) -> Iterator[tuple[Rows, Vectors]]:
    # By a list of rows: asked for `seq > since` in the order of rows, SQLite reads the whole table to save the sorting.
    where = "" if since < 0 else f"WHERE row IN (SELECT row FROM {table.name} WHERE seq > {since})"
    space = table.space
    cursor = db.execute(f"SELECT row, vector FROM {table.name} {where} ORDER BY row")
    while batch := cursor.fetchmany(max(1, _BATCH_BYTES // space.row_bytes)):
        rows = np.fromiter((row for row, _ in batch), np.int64, len(batch))
        joined = b"".join(vector for _, vector in batch)
        yield rows, np.frombuffer(joined, space.dtype).reshape(len(batch), space.width)


def _collect(batches: Iterator[tuple[Rows, Vectors]], space: VectorSpace) -> tuple[Rows, Vectors]:
    parts = list(batches)
    rows = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    vectors = np.concatenate([np.empty((0, space.width), space.dtype), *(part[1] for part in parts)])
    vectors.setflags(write=False)
    return rows, vectors


def _write(db: sqlite3.Connection, file: Path, table: _Table, seq: int) -> MappedVectors | None:
    n = int(db.execute(f"SELECT COUNT(*) FROM {table.name}").fetchone()[0])
    return write_vectors(file, table.identity, seq, n, _batches(db, table, -1))


def _with_changes(db: sqlite3.Connection, table: _Table, mapped: MappedVectors) -> tuple[Segment, ...]:
    rows, vectors = _collect(_batches(db, table, mapped.seq), table.space)
    gone = db.execute("SELECT DISTINCT row FROM gone WHERE space_id = ? AND seq > ?", (table.number, mapped.seq))
    outdated = np.union1d(rows, np.fromiter((row for (row,) in gone), np.int64))
    at = np.searchsorted(mapped.rows, outdated)
    inside = at < len(mapped.rows)
    at, outdated = at[inside], outdated[inside]
    base = Segment(mapped.rows, mapped.vectors, at[mapped.rows[at] == outdated])
    return (base, Segment(rows, vectors)) if len(rows) else (base,)
