"""Which pairs the leak check looks at closely: an edited copy may not score as one, but it is among the nearest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..collection.near_pairs import NearPairs, blocks
from ..index.exact import Exact
from ..types import Rows
from .leak_sides import Side

__all__ = ["NEIGHBOURS", "neighbours", "once", "together", "without"]

NEIGHBOURS = 5  # of photographs cropped to 60%, 95 in 100 have the original among them (builtin-1)
MOST_QUERIES = 5000  # of more, none: finding them would take as long as the evaluation itself


def neighbours(left: Side, rows: Rows, right: Side, base: Rows) -> NearPairs:
    """Return the pairs of each of ``rows`` with its nearest in the base; none where there are too many rows.

    Within one side an image is no neighbour of itself, and each pair comes once.
    """
    if not len(rows) or not len(base) or len(rows) > MOST_QUERIES:
        return together([])
    within = left is right
    index = Exact.over(right.snapshot)
    parts = []
    for block in blocks(left.snapshot, rows):
        found = index.search(block.vectors, NEIGHBOURS + within, allowed=base)
        counts = found.rows >= 0
        if within:  # an image that is in the base finds itself
            counts &= found.rows != block.rows[:, None]
        counts &= np.cumsum(counts, axis=1) <= NEIGHBOURS
        asked = np.repeat(block.rows, counts.sum(axis=1))
        parts.append(NearPairs(asked, found.rows[counts], found.scores[counts]))
    every = together(parts)
    return once(every, rows, base) if within else every


def once(pairs: NearPairs, rows: Rows, base: Rows) -> NearPairs:
    """Return each pair of one side once: with the lower row first where it could stand either way round."""
    a, b = pairs.rows_a, pairs.rows_b
    turn = (a > b) & np.isin(a, base) & np.isin(b, rows)
    a, b = np.where(turn, b, a), np.where(turn, a, b)
    _, first = np.unique(np.stack([a, b], axis=1), axis=0, return_index=True)
    return NearPairs(a[first], b[first], pairs.scores[first])


def together(parts: Sequence[NearPairs]) -> NearPairs:
    """Return the pairs of several lists, one after another."""
    if not parts:
        return NearPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    return NearPairs(
        np.concatenate([part.rows_a for part in parts]),
        np.concatenate([part.rows_b for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def without(pairs: NearPairs, others: NearPairs) -> NearPairs:
    """Return the pairs that are not among the others."""
    stride = max((int(part.max(initial=0)) for part in (pairs.rows_b, others.rows_b)), default=0) + 1
    return pairs.at(~np.isin(pairs.rows_a * stride + pairs.rows_b, others.rows_a * stride + others.rows_b))
