"""Keeping the derived files in step with the database."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..errors import StorageFailed, UnknownName
from ..types import Rows, Segment, Vectors, VectorSpace
from .connections import Connections
from .snapshot import Identity, MappedVectors, VectorSnapshot, map_vectors, write_vectors

__all__ = ["far_behind", "refresh", "snapshot", "sweep"]

_BATCH_BYTES = 8 << 20  # vectors held at a time while a file is written

# (vectors in the file, changes since) -> whether to write it anew. A reader bears more changes in memory than the end
# of an indexing run leaves behind, so that readers beside a writer rarely write.
Behind = Callable[[int, int], bool]


def far_behind(n: int, changes: int) -> bool:
    """Say when a reader should rather write the file anew than read the changes each time."""
    return changes > 4096 + n // 4


def _worth_writing(n: int, changes: int) -> bool:
    return changes > n // 50


def snapshot(folder: Path, connections: Connections, name: str, behind: Behind) -> VectorSnapshot:
    """Return the vectors of a space at this moment; see ``SqliteStore.snapshot``."""
    with connections.reading() as db:
        space_id, identity = _identity(db, name)
        seq = _clock(db)
        file = folder / "derived" / _file_name(space_id, identity.space)
        mapped = map_vectors(file, identity)
        # A file ahead of the database is of a later state that a crash or a copied-back file has undone.
        if mapped is not None and (mapped.seq > seq or behind(len(mapped.rows), _changes(db, space_id, mapped.seq))):
            mapped = None
        if mapped is None:
            with contextlib.suppress(OSError):
                mapped = _write(db, file, identity, space_id, seq)
        if mapped is None:
            rows, vectors = _collect(_batches(db, space_id, identity.space, -1), identity.space)
            return VectorSnapshot(identity.space, seq, (Segment(rows, vectors),))
        return VectorSnapshot(identity.space, seq, _with_changes(db, space_id, identity.space, mapped))


def refresh(folder: Path, connections: Connections, name: str) -> None:
    """Write the file of one space anew unless it is in step, or nearly."""
    file = folder
    try:
        with connections.reading() as db:
            space_id, identity = _identity(db, name)
            seq = _clock(db)
            file = folder / "derived" / _file_name(space_id, identity.space)
            mapped = map_vectors(file, identity)
            if (
                mapped is None
                or mapped.seq > seq
                or _worth_writing(len(mapped.rows), _changes(db, space_id, mapped.seq))
            ):
                _write(db, file, identity, space_id, seq)
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


def _identity(db: sqlite3.Connection, name: str) -> tuple[int, Identity]:
    found = db.execute(
        "SELECT id, name, dim, fingerprint, kind, similarity FROM spaces WHERE name = ?", (name,)
    ).fetchone()
    if found is None:
        known = ", ".join(row[0] for row in db.execute("SELECT name FROM spaces ORDER BY id")) or "none"
        raise UnknownName(f"there is no vector space {name!r}.", hint=f"Known: {known}.")
    database = db.execute("SELECT value FROM settings WHERE key = 'database'").fetchone()[0]
    return int(found[0]), Identity(database, VectorSpace(*found[1:]))


def _file_name(space_id: int, space: VectorSpace) -> str:
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", space.name)[:60].strip(".-") or "space"
    digest = hashlib.sha256(space.name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable}-{space_id}-{digest}.vectors"


def _clock(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT seq FROM clock").fetchone()[0])


def _changes(db: sqlite3.Connection, space_id: int, since: int) -> int:
    (changed,) = db.execute(f"SELECT COUNT(*) FROM vectors_{space_id} WHERE seq > ?", (since,)).fetchone()
    (gone,) = db.execute("SELECT COUNT(*) FROM gone WHERE space_id = ? AND seq > ?", (space_id, since)).fetchone()
    return int(changed) + int(gone)


def _batches(db: sqlite3.Connection, space_id: int, space: VectorSpace, since: int) -> Iterator[tuple[Rows, Vectors]]:
    where = "" if since < 0 else f"WHERE seq > {since}"
    cursor = db.execute(f"SELECT row, vector FROM vectors_{space_id} {where} ORDER BY row")
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


def _write(db: sqlite3.Connection, file: Path, identity: Identity, space_id: int, seq: int) -> MappedVectors | None:
    n = int(db.execute(f"SELECT COUNT(*) FROM vectors_{space_id}").fetchone()[0])
    return write_vectors(file, identity, seq, n, _batches(db, space_id, identity.space, -1))


def _with_changes(
    db: sqlite3.Connection, space_id: int, space: VectorSpace, mapped: MappedVectors
) -> tuple[Segment, ...]:
    rows, vectors = _collect(_batches(db, space_id, space, mapped.seq), space)
    gone = db.execute("SELECT DISTINCT row FROM gone WHERE space_id = ? AND seq > ?", (space_id, mapped.seq))
    outdated = np.union1d(rows, np.fromiter((row for (row,) in gone), np.int64))
    at = np.searchsorted(mapped.rows, outdated)
    inside = at < len(mapped.rows)
    at, outdated = at[inside], outdated[inside]
    base = Segment(mapped.rows, mapped.vectors, at[mapped.rows[at] == outdated])
    return (base, Segment(rows, vectors)) if len(rows) else (base,)
