"""The values of single queries as a CSV, for whoever looks closer than averages do."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from ..errors import BadInput, StorageFailed
from .judged import Judged
from .metrics import parse_metric
from .summary import per_query

__all__ = ["write_values"]


def write_values(judged: Judged, keys: Sequence[str], path: str | Path) -> int:
    """Write a line a query, and return how many: ``query``, ``label`` where known, ``relevant``, and each metric.

    Args:
        judged: what the search gave.
        keys: metrics; those that have no value of a single query are left out. An empty cell: nothing to find.
        path: the file; one that is there is replaced.

    Raises:
        BadInput: no metric of single queries. StorageFailed: the file cannot be written.
    """
    single = [key for key in keys if parse_metric(key)[0].kind == "query"]
    if not single:
        raise BadInput(
            f"none of {', '.join(keys)} has a value of a single query.", hint="Add one that has, such as --metric map."
        )
    values = per_query(judged, single)
    ids = range(len(judged)) if judged.query_ids is None else judged.query_ids
    head = ["query", *(["label"] if judged.classes is not None else []), "relevant", *single]
    try:
        with Path(path).expanduser().open("w", encoding="utf-8", newline="") as out:
            lines = csv.writer(out)
            lines.writerow(head)
            for at, id in enumerate(ids):
                label = [] if judged.classes is None else [judged.classes[at]]
                cells = (float(values[key][at]) for key in single)
                total = int(judged.total[at])
                lines.writerow([id, *label, total, *("" if math.isnan(cell) else repr(cell) for cell in cells)])
    except OSError as error:
        raise StorageFailed(f"{path} cannot be written: {error}.", hint="Name another file.") from error
    return len(judged)
