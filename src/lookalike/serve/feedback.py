"""The click log: what people saw and what they chose, one row a shown item; training reads it."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from typing import Any

from ..errors import BadInput, MissingExtra
from . import wire
from .ledger import Ledger

__all__ = ["COLUMNS", "as_csv", "as_parquet", "save"]

COLUMNS = ("search_id", "time", "query_id", "id", "position", "clicked", "judged")
_AT_ONCE = 10_000  # rows


def save(ledger: Ledger, feedback: wire.Feedback) -> int:
    """Write what a person saw and did, and return how many rows there are of it; repeating it changes nothing.

    A later report of the same search adds its clicks to the earlier ones; a judgement replaces an earlier one.

    Raises:
        BadInput: an id was clicked that was not shown, or was shown twice.
    """
    if len(set(feedback.shown)) != len(feedback.shown):
        raise BadInput("an id stands twice among those shown.")
    clicks = {click.id: click for click in feedback.clicks}
    for id in clicks:
        if id not in feedback.shown:
            raise BadInput(f"{id!r} was clicked, and is not among those shown.", hint="shown lists all ids in order.")
    now = time.time() if feedback.time is None else feedback.time
    rows = [
        (
            feedback.search_id,
            now,
            feedback.query_id,
            id,
            position,
            int(id in clicks and clicks[id].clicked),
            clicks[id].judged if id in clicks else 0,
        )
        for position, id in enumerate(feedback.shown, start=feedback.first_position)
    ]
    with ledger.changing() as db:
        db.executemany(
            "INSERT INTO shown VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (search_id, id) DO UPDATE SET "
            "clicked = max(clicked, excluded.clicked), "
            "judged = CASE excluded.judged WHEN 0 THEN judged ELSE excluded.judged END",
            rows,
        )
    return len(rows)


def rows(ledger: Ledger) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the log in pieces, by time, search and position."""
    with ledger.reading() as db:
        if db is None:
            return
        found = db.execute(f"SELECT {', '.join(COLUMNS)} FROM shown ORDER BY time, search_id, position")
        while some := found.fetchmany(_AT_ONCE):
            yield [(*row[:5], bool(row[5]), row[6]) for row in some]


def as_csv(ledger: Ledger) -> Iterator[bytes]:
    """Yield the log as CSV; ``time`` in seconds since the epoch, ``clicked`` as 1 or 0."""
    yield (",".join(COLUMNS) + "\n").encode()
    for some in rows(ledger):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([(*row[:5], int(row[5]), row[6]) for row in some])
        yield text.getvalue().encode("utf-8", "surrogatepass")


def as_parquet(ledger: Ledger) -> bytes:
    """Return the log as Parquet.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as missing:
        hint = "Try: pip install 'lookalike[parquet]', or ask for CSV."
        raise MissingExtra("Parquet needs pyarrow, which is not installed.", hint=hint) from missing
    kinds = (pa.string(), pa.float64(), pa.string(), pa.string(), pa.int64(), pa.bool_(), pa.int8())
    schema = pa.schema(list(zip(COLUMNS, kinds, strict=True)))
    out = io.BytesIO()
    with pq.ParquetWriter(out, schema) as writer:
        for some in rows(ledger):
            columns = [list(column) for column in zip(*some, strict=True)]
            writer.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True)), schema=schema))
    return out.getvalue()
