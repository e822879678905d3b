"""Each labelled image in turn is the query, and searches all the others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import BadInput
from ..protocols import Searcher
from .judged import Judged

__all__ = ["leave_one_out"]

BLOCK_SCORES = 16_000_000  # scores that are held at once: 64 MB, whatever the size of the base


def leave_one_out(searcher: Searcher, labels: Mapping[int, str], base_size: int, *, cut: int | None = None) -> Judged:
    """Rank the base for every labelled image that has another of its label, and judge by label.

    Args:
        searcher: the user's own search.
        labels: row -> label; empty labels are distractors: in the base, never a query.
        base_size: how many images the searcher holds.
        cut: results that are looked at for each query; None for the whole base.

    Returns:
        One judged ranking a query, by ascending row, the query itself left out of it.

    Raises:
        BadInput: no label has two images.
    """
    rows = np.array(sorted(labels), dtype=np.int64)
    names, codes = np.unique([labels[int(row)] for row in rows], return_inverse=True)
    distractor = names[codes] == ""
    sizes = np.bincount(codes, minlength=len(names))
    queries = np.flatnonzero(~distractor & (sizes[codes] > 1))
    if not len(queries):
        raise BadInput(
            f"no label has two images among the {len(rows)} that were joined, so there is nothing to find.",
            hint="Leave-one-out needs at least two images of one label.",
        )
    code_of = np.full(int(max(rows.max(), 0)) + 1, -1, dtype=np.int64)  # row -> label code, -1 for what has none
    code_of[rows] = np.where(distractor, -1, codes)
    depth = base_size if cut is None else min(cut + 1, base_size)
    block = max(1, BLOCK_SCORES // max(depth, 1))
    owners, ranks = [], []
    for start in range(0, len(queries), block):
        some = queries[start : start + block]
        found = searcher.search(searcher.vectors(rows[some]), depth).rows  # (q, depth)
        keep = (found != rows[some, None]) & (found >= 0)
        place = np.cumsum(keep, axis=1)  # rank among the others, from 1
        known = np.where((found >= 0) & (found < len(code_of)), found, 0)
        relevant = keep & (code_of[known] == codes[some, None]) & (found < len(code_of))
        if cut is not None:
            relevant &= place <= cut
        at = np.nonzero(relevant)
        owners.append(at[0] + start)
        ranks.append(place[at])
    return Judged.from_ranks(
        np.concatenate(owners),
        np.concatenate(ranks),
        total=sizes[codes[queries]] - 1,
        cut=cut,
        classes=names[codes[queries]],
        query_ids=rows[queries],
    )
