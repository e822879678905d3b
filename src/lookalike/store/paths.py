"""Where records come from, as paths: what lies under a folder, and moving it. Everything is bytes and components."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator

from ..errors import BadInput

__all__ = ["ranges", "rebase", "root_id"]

_SEPARATORS = tuple(sorted({b"!/", b"/", os.fsencode(os.sep)}))  # a member of an archive is ``archive.tar!/member``


def root_id(db: sqlite3.Connection, path: bytes) -> int:
    """Return the id of a root, making it when it is new."""
    found = db.execute("SELECT id FROM roots WHERE path = ?", (path,)).fetchone()
    if found is None:
        return int(db.execute("INSERT INTO roots (path) VALUES (?)", (path,)).lastrowid or 0)
    return int(found[0])


def _bare(path: str) -> bytes:
    """Return the bytes of a path without separators at its end; the root of the file system becomes empty."""
    if not path:
        raise BadInput("an empty path names no folder.", hint="Give an absolute path.")
    return os.fsencode(path.rstrip("/" + os.sep))


def ranges(root: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield the half-open ranges of sources, ascending, that are ``root`` itself or lie below it."""
    bare = _bare(root)
    if bare:
        yield bare, bare + b"\0"
    for separator in _SEPARATORS:
        if bare or separator != b"!/":
            yield bare + separator, bare + separator[:-1] + bytes([separator[-1] + 1])


def rebase(db: sqlite3.Connection, old: str, new: str, seq: int) -> int:
    """Replace the prefix ``old`` by ``new`` in sources and roots, inside the caller's transaction.

    Returns:
        How many records moved.

    Raises:
        BadInput: a record would come to lie where one that stays is.
    """
    before, after = _bare(old), _bare(new)
    if before == after:
        return 0
    moving = " OR ".join(f"(source >= x'{low.hex()}' AND source < x'{high.hex()}')" for low, high in ranges(old))
    moved = f"CAST(x'{after.hex()}' || substr(source, {len(before) + 1}) AS BLOB)"
    clash = db.execute(
        f"SELECT {moved}, id FROM records WHERE ({moving}) AND EXISTS "
        f"(SELECT 1 FROM records AS there WHERE there.source = {moved.replace('source', 'records.source')} "
        f"AND NOT ({moving.replace('source', 'there.source')})) LIMIT 1"
    ).fetchone()
    if clash is not None:
        raise BadInput(
            f"moving {old!r} to {new!r} would put {clash[1]!r} where another record is: {os.fsdecode(clash[0])!r}.",
            hint="Remove one of the two first; nothing has been changed.",
        )
    _move_roots(db, moving, before, after, new)
    return db.execute(f"UPDATE records SET source = {moved}, seq = ? WHERE {moving}", (seq,)).rowcount


def _move_roots(db: sqlite3.Connection, moving: str, before: bytes, after: bytes, new: str) -> None:
    """Give the records that move their new root: the old one moved too, or ``new`` where only a part of it moves."""
    used = db.execute(
        f"SELECT DISTINCT root_id, path FROM records JOIN roots ON roots.id = root_id WHERE {moving}"
    ).fetchall()
    whole = after or os.fsencode(new)
    for old_id, path in used:
        inside = path == before or path.startswith(tuple(before + separator for separator in _SEPARATORS))
        target = (after + path[len(before) :] or whole) if inside else whole
        # By way of negative numbers, so that no record is moved twice where one root becomes another's old path.
        db.execute(f"UPDATE records SET root_id = ? WHERE root_id = ? AND ({moving})", (-root_id(db, target), old_id))
    db.execute("UPDATE records SET root_id = -root_id WHERE root_id < 0")
    db.execute("DELETE FROM roots WHERE id NOT IN (SELECT root_id FROM records WHERE root_id IS NOT NULL)")
