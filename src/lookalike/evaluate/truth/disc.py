"""DISC21, the Image Similarity Challenge: ``dev_ground_truth.csv`` with ``query_id,reference_id``.

A query without a reference has nothing to find; all that it returns counts against pooled metrics such as µAP.
Source: Douze et al., The 2021 Image Similarity Dataset and Challenge, 2021.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ...errors import BadInput
from .base import Reader, Truth
from .building import Names, PairList
from .tables import first_line, table_of

__all__ = ["READER", "read"]

HEADER = ["query_id", "reference_id"]
_QUERY = re.compile(r"q[0-9]+")  # of a first release without a header; in lower case, as headers are read


def looks(path: Path) -> bool:
    """Whether the header is DISC21's."""
    return path.suffix.lower() == ".csv" and first_line(path) == HEADER


def read(path: Path) -> Truth:
    """Read it; the file may also have no header, as the first release.

    Raises:
        NoSuchFile, BadInput: a line without two fields.
    """
    header, lines = table_of(path)
    if header != HEADER and not _QUERY.fullmatch(header[0] if len(header) == 2 else ""):
        raise BadInput(f"the first line of {path} is {','.join(header)!r}.", hint="It should be query_id,reference_id.")
    names, found = Names(), PairList(path)
    queries: dict[int, None] = {}
    first = [] if header == HEADER else [(1, [name.upper() for name in header])]
    for line, (asking, reference, *_) in (*first, *lines):
        query = names.position(asking.strip())
        queries[query] = None
        if reference.strip():
            item = names.position(reference.strip())
            found.add(line, query, item, 1.0, said=f"the pair {asking!r}, {reference!r}")
    if not queries:
        raise BadInput(f"{path} has no lines after its header.", hint="Give one line a pair: query_id,reference_id")
    return Truth(
        path=path,
        format="disc",
        names=names.all(),
        pairs=found.pairs(),
        queries=np.array(list(queries), np.int64),
        folders=(path.parent, path.parent / "queries"),
        notes=found.notes(),
    )


READER = Reader("disc", "DISC21: query_id,reference_id", looks, read)
