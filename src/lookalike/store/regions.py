"""Parts of images in the database: a table ``regions_<space id>`` with a vector and a box each."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import numpy as np

from ..types import MOST_REGIONS, Region, Regions, VectorSpace

__all__ = ["drop_regions", "put_regions", "read_regions"]


def _has_regions(db: sqlite3.Connection, space_id: int) -> bool:
    return bool(db.execute("SELECT regions FROM spaces WHERE id = ?", (space_id,)).fetchone()[0])


def _create(db: sqlite3.Connection, space_id: int) -> None:
    db.execute(
        f"""CREATE TABLE regions_{space_id} (
            row INTEGER PRIMARY KEY,
            seq INTEGER NOT NULL,
            x0 INTEGER NOT NULL,
            y0 INTEGER NOT NULL,
            x1 INTEGER NOT NULL,
            y1 INTEGER NOT NULL,
            score REAL NOT NULL,
            label TEXT NOT NULL,
            vector BLOB NOT NULL
        )"""
    )
    db.execute(f"CREATE INDEX regions_{space_id}_by_seq ON regions_{space_id} (seq)")
    db.execute("UPDATE spaces SET regions = 1 WHERE id = ?", (space_id,))


def put_regions(
    db: sqlite3.Connection, space_id: int, space: VectorSpace, seq: int, regions: Regions, row_of: Mapping[int, int]
) -> None:
    """Write the parts of images that have none; ``row_of`` maps owners to rows, others are passed over."""
    if not len(regions):
        return
    if not _has_regions(db, space_id):
        _create(db, space_id)
    owners = regions.owners
    places = np.arange(len(owners)) - np.searchsorted(owners, owners)  # of each among its image's
    db.executemany(
        f"INSERT INTO regions_{space_id} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                row_of[owner] * MOST_REGIONS + place,
                seq,
                *(box.x0, box.y0, box.x1, box.y1, box.score, box.label),
                vector.astype(space.dtype, copy=False).tobytes(),
            )
            for owner, place, box, vector in zip(
                owners.tolist(), places.tolist(), regions.boxes, regions.vectors, strict=True
            )
            if owner in row_of
        ),
    )


def drop_regions(db: sqlite3.Connection, space_id: int, rows: Sequence[int], seq: int) -> None:
    """Take away the parts of the images in ``rows``, and note it for the derived files."""
    if not rows or not _has_regions(db, space_id):
        return
    ranges = [(row * MOST_REGIONS, (row + 1) * MOST_REGIONS) for row in rows]
    held = f"FROM regions_{space_id} WHERE row >= ? AND row < ?"
    # Among what is gone, the parts of a space stand under its number, negative.
    db.executemany(f"INSERT INTO gone SELECT {seq}, {-space_id}, row {held}", ranges)
    db.executemany(f"DELETE {held}", ranges)


def read_regions(db: sqlite3.Connection, space_id: int, space: VectorSpace, rows: Sequence[int]) -> Regions:
    """Return the parts of the images in ``rows``, which ascend."""
    owners: list[int] = []
    boxes: list[Region] = []
    vectors: list[bytes] = []
    if _has_regions(db, space_id):
        for row in rows:
            for x0, y0, x1, y1, score, label, vector in db.execute(
                f"SELECT x0, y0, x1, y1, score, label, vector FROM regions_{space_id} "
                "WHERE row >= ? AND row < ? ORDER BY row",
                (row * MOST_REGIONS, (row + 1) * MOST_REGIONS),
            ):
                owners.append(row)
                boxes.append(Region(x0, y0, x1, y1, score, label))
                vectors.append(vector)
    values = np.frombuffer(bytearray(b"".join(vectors)), space.dtype).reshape(len(vectors), space.width)
    return Regions(np.array(owners, np.int64), tuple(boxes), values)
