"""A run as TREC programs read it: ``query Q0 item rank score tag``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import BadInput
from ..types import Candidates
from .evaluation import Evaluation

__all__ = ["write_run"]


def write_run(
    found: Evaluation | Candidates,
    path: str | Path,
    *,
    names: Mapping[int, str],
    queries: Sequence[str] | None = None,
    tag: str = "lookalike",
) -> int:
    """Write the first results of each query, and return how many lines.

    Args:
        found: an evaluation, whose shown results are written (``run_protocol(..., shown=100)``), or candidates.
        path: the file.
        names: row id -> id of the image.
        queries: the names of the queries; an evaluation knows them.
        tag: the name of the run.

    Ranks count from 1. trec_eval orders by score and breaks ties by name, not by rank: equal scores may be read in
    another order than they were found in. Names with white space are written with ``%20``, which no field may hold.

    Raises:
        BadInput: candidates without the names of their queries, or a tag with white space.
    """
    if not tag or tag.split() != [tag]:
        raise BadInput(f"the tag of a run is one word, got {tag!r}.")
    if isinstance(found, Evaluation):
        rows, scores = found.shown, found.shown_scores
        asked = queries if queries is not None else found.judged.query_ids
    else:
        rows, scores, asked = found.rows, found.scores, queries
    if asked is None or len(asked) != len(rows):
        raise BadInput(f"{len(rows)} queries need as many names.", hint="Give queries=...")
    lines = 0
    with Path(path).open("w", encoding="utf-8") as out:
        for query, some, values in zip(asked, rows, scores, strict=True):
            name = _field(str(query))
            for rank, (row, score) in enumerate(zip(some.tolist(), values.tolist(), strict=True), start=1):
                if row >= 0 and score > -np.inf:
                    out.write(f"{name} Q0 {_field(names.get(row, str(row)))} {rank} {score:.9g} {tag}\n")
                    lines += 1
    return lines


def _field(name: str) -> str:
    return "".join(f"%{ord(char):02X}" if char.isspace() else char for char in name)
