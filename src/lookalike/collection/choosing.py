"""Of a ranking, the k results to show: without what is the same as the query, and one of each group.

The ranking is looked at deeper and deeper until k are found or there is no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..types import Rows
from .grouping import Groups

__all__ = ["Chosen", "Same", "choose", "first_of_groups"]

Places = npt.NDArray[np.int64]

_DEEPER = 4  # times as deep with each look: the last one costs most, and the sum is at most a third more


class Same(NamedTuple):
    """What the query itself is, and so is left out of its results."""

    rows: Rows  # the query's own, its copies, its product group; any order
    score: float = np.inf  # and whatever scores at least this


class Chosen(NamedTuple):
    """The results of one query, best first, and the best that there was before anything was left out."""

    rows: Rows  # int64 (R,), R <= k
    scores: npt.NDArray[np.float64]  # (R,)
    best: float  # -inf where the ranking is empty


def choose(
    ranking: Callable[[int], tuple[Rows, npt.NDArray[np.floating]]],
    k: int,
    *,
    same: Same | None = None,
    groups: Groups | None = None,
) -> Chosen:
    """Return the k best that may be shown.

    Args:
        ranking: gives the first n rows and scores, best first; fewer only where there are no more.
        k: how many results, > 0.
        same: what is left out.
        groups: one result of each group, its best.
    """
    depth = k if same is None and groups is None else k + 32
    if same is not None:
        depth += min(len(same.rows), 1024)
    while True:
        rows, scores = ranking(depth)
        kept = np.ones(len(rows), np.bool_)
        if same is not None:
            kept = ~np.isin(rows, same.rows) & (scores < same.score)
        places = np.flatnonzero(kept)
        if groups is not None:
            places = places[first_of_groups(groups.of_rows(rows[places]))]
        if len(places) >= k or len(rows) < depth:
            places = places[:k]
            best = float(scores[0]) if len(scores) else -np.inf
            return Chosen(rows[places], scores[places].astype(np.float64), best)
        depth *= _DEEPER


def first_of_groups(numbers: npt.NDArray[np.int64]) -> Places:
    """Return, ascending, where each number stands first."""
    _, first = np.unique(numbers, return_index=True)
    return np.sort(first)
