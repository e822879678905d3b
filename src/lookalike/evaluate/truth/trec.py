"""TREC qrels: ``query 0 item grade``, separated by spaces, without a header.

Grades below 0, which some tracks give to junk, count as not relevant, as in trec_eval.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ...errors import BadInput
from .base import Reader, Truth
from .building import Names, PairList
from .tables import lines_of, whole_number

__all__ = ["READER", "read"]

_NUMBER = re.compile(r"-?[0-9]+")


def looks(path: Path) -> bool:
    """Whether the first line has four fields, the second and the last whole numbers."""
    if not path.is_file():
        return False
    try:
        _, first = next(lines_of(path, separator=None), (0, []))
    except BadInput:
        return False
    return len(first) == 4 and all(_NUMBER.fullmatch(first[at]) for at in (1, 3))


def read(path: Path) -> Truth:
    """Read it.

    Raises:
        NoSuchFile, BadInput: a line without four fields, a grade that is no whole number, a pair with two grades.
    """
    names, found = Names(), PairList(path)
    queries: dict[int, None] = {}
    below = 0
    for line, fields in lines_of(path, separator=None):
        if len(fields) != 4:
            raise BadInput(
                f"line {line} of {path} has {len(fields)} of 4 fields.",
                hint="A line of qrels is: query 0 item grade",
            )
        query, _, item, text = fields
        grade = whole_number(path, line, text, "a grade")
        below += grade < 0
        queries[names.position(query)] = None
        found.add(
            line, names.position(query), names.position(item), max(grade, 0), said=f"the pair {query!r}, {item!r}"
        )
    return Truth(
        path=path,
        format="trec",
        names=names.all(),
        pairs=found.pairs(),
        queries=np.array(list(queries), np.int64),
        folders=(path.parent,),
        notes=(
            *((f"{below} pairs with a grade below 0 count as not relevant.",) if below else ()),
            *found.notes(),
        ),
    )


READER = Reader("trec", "TREC qrels: query 0 item grade", looks, read)
