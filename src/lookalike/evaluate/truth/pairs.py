"""A CSV with a line a judged pair: ``query,relevant`` or ``query,relevant,grade``.

An empty cell ``relevant`` says that the query has nothing to find. A grade of 0 says that the pair was judged and is
not relevant.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import BadInput
from .base import Reader, Truth
from .building import Names, PairList
from .tables import column, first_line, grade_of, table_of

__all__ = ["READER", "read"]

QUERY = ("query", "query_id", "query_file")
RELEVANT = ("relevant", "relevant_id", "reference", "result")
GRADE = ("grade", "relevance", "rel")


def looks(path: Path) -> bool:
    """Whether the header names a query and what is relevant to it."""
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        return False
    header = first_line(path, separator=_separator(path))
    return column(header, QUERY) is not None and column(header, RELEVANT) is not None


def read(path: Path) -> Truth:
    """Read it.

    Raises:
        NoSuchFile, BadInput: no such columns, a grade that is no number from 0 up, a pair with two grades, a grade that
            some lines have and others lack, or no line at all.
    """
    header, lines = table_of(path, separator=_separator(path))
    query_at, relevant_at, grade_at = (column(header, some) for some in (QUERY, RELEVANT, GRADE))
    if query_at is None or relevant_at is None:
        raise BadInput(
            f"{path} has no columns 'query' and 'relevant'; its first line is {','.join(header)!r}.",
            hint="Give the file a header line: query,relevant or query,relevant,grade",
        )
    names, found = Names(), PairList(path)
    queries: dict[int, None] = {}
    for line, fields in lines:
        query, relevant = fields[query_at].strip(), fields[relevant_at].strip()
        if not query:
            raise BadInput(f"line {line} of {path} names no query.")
        queries[names.position(query)] = None
        if not relevant:
            continue
        grade = 1.0
        if grade_at is not None:
            if not fields[grade_at].strip():
                raise BadInput(
                    f"line {line} of {path} has no grade, though the file has a column of grades.",
                    hint="Give every pair a grade, or drop the column.",
                )
            grade = grade_of(path, line, fields[grade_at])
        said = f"the pair {query!r}, {relevant!r}"
        found.add(line, names.position(query), names.position(relevant), grade, said=said)
    if not queries:
        raise BadInput(f"{path} has no lines after its header.", hint="Give one line a pair: query,relevant")
    return Truth(
        path=path,
        format="pairs",
        names=names.all(),
        pairs=found.pairs(),
        queries=np.array(list(queries), np.int64),
        folders=(path.parent,),
        notes=found.notes(),
    )


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


READER = Reader("pairs", "CSV with the columns query,relevant and perhaps grade", looks, read)
