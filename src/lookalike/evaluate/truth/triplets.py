"""A CSV with a line a comparison: ``anchor,positive,negative``. The anchor is more like the positive.

An image may be the positive of one line and the negative of another of the same anchor: comparisons are an order. For
metrics, which need to know what is relevant, each positive is, and what is only ever a negative is not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import BadInput
from ...images.printable import printable
from .base import Pairs, Reader, Truth
from .building import Names, repeated
from .tables import column, first_line, table_of

__all__ = ["READER", "read"]

COLUMNS = (("anchor", "query"), ("positive", "pos"), ("negative", "neg"))


def looks(path: Path) -> bool:
    """Whether the header names an anchor, what is like it and what is less."""
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        return False
    header = first_line(path, separator=_separator(path))
    return all(column(header, names) is not None for names in COLUMNS)


def read(path: Path) -> Truth:
    """Read it.

    Raises:
        NoSuchFile, BadInput: no such columns, a line with an empty cell or with one image twice, a comparison that an
            earlier line says the other way round, or no line at all.
    """
    header, lines = table_of(path, separator=_separator(path))
    found = [column(header, names) for names in COLUMNS]
    places = [at for at in found if at is not None]
    if len(places) < len(COLUMNS):
        raise BadInput(
            f"{path} has no columns 'anchor', 'positive' and 'negative'; its first line is {','.join(header)!r}.",
            hint="Give the file a header line: anchor,positive,negative",
        )
    names = Names()
    triplets: dict[tuple[int, int, int], None] = {}
    again: list[int] = []
    for line, fields in lines:
        cells = [fields[at].strip() for at in places]
        for cell, kind in zip(cells, ("anchor", "positive", "negative"), strict=True):
            if not cell:
                raise BadInput(f"line {line} of {path} names no {kind}.", hint="Give each line three images.")
        if len(set(cells)) < 3:
            raise BadInput(
                f"line {line} of {path} names one image twice: {', '.join(map(printable, cells))}.",
                hint="A triplet is three different images.",
            )
        anchor, positive, negative = (names.position(cell) for cell in cells)
        if (anchor, negative, positive) in triplets:
            raise BadInput(
                f"line {line} of {path} says that {cells[0]!r} is more like {cells[1]!r} than {cells[2]!r}; an earlier "
                "one says the opposite.",
                hint="Keep one of them.",
            )
        if (anchor, positive, negative) in triplets:
            again.append(line)
        triplets[anchor, positive, negative] = None
    if not triplets:
        raise BadInput(
            f"{path} has no lines after its header.", hint="Give one line a triplet: anchor,positive,negative"
        )
    table = np.array(list(triplets), np.int64)
    return Truth(
        path=path,
        format="triplets",
        names=names.all(),
        pairs=_pairs(list(triplets)),
        triplets=table,
        queries=np.array(list(dict.fromkeys(table[:, 0].tolist())), np.int64),
        folders=(path.parent,),
        notes=repeated(path, again),
    )


def _pairs(triplets: list[tuple[int, int, int]]) -> Pairs:
    grades: dict[tuple[int, int], float] = {}
    for anchor, positive, negative in triplets:
        grades[anchor, positive] = 1.0
        grades.setdefault((anchor, negative), 0.0)
    return Pairs.of((query, item, grade) for (query, item), grade in grades.items())


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


READER = Reader("triplets", "CSV with the columns anchor,positive,negative", looks, read)
