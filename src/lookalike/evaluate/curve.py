"""All query–result pairs in one list, by score: what pooled metrics are computed from.

A threshold takes or leaves all pairs of one score together, so equal scores need no order (scikit-learn's rule).
Only thresholds at the scores of relevant pairs matter: between two of them nothing is found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .judged import Judged

__all__ = ["Curve", "GroupedCurve", "group_pairs", "pool"]

Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """What lies at or above each of T thresholds, from the highest down; leading dimensions are resamples.

    Attributes:
        hits: (..., T) relevant pairs at or above.
        shown: (..., T) all pairs at or above.
        total: (...,) relevant pairs in the base, found or not.
    """

    hits: Floats
    shown: Floats
    total: Floats


@dataclass(frozen=True, slots=True, eq=False)
class GroupedCurve:
    """The same of G groups of queries, not yet summed up: (G, T), (G, T) and (G,); ``weighted`` adds groups up."""

    hits: Floats
    shown: Floats
    total: Floats

    def weighted(self, weights: Floats) -> Curve:
        """Return the curves of R resamples; weights (R, G) say how often each group is drawn."""
        hits, shown = (np.cumsum(weights @ part, axis=1) for part in (self.hits, self.shown))
        return Curve(hits, shown, weights @ self.total)


def pool(judged: Judged) -> Curve:
    """Return the exact curve of all pairs.

    Raises:
        BadInput: the results carry no scores.
    """
    scores, relevant = _scores(judged)
    thresholds, counts = np.unique(relevant, return_counts=True)
    ranked = np.sort(scores[scores > -np.inf])
    shown = len(ranked) - np.searchsorted(ranked, thresholds[::-1], side="left")
    total = np.float64(judged.total.sum())
    return Curve(np.cumsum(counts[::-1], dtype=np.float64), shown.astype(np.float64), np.asarray(total))


def group_pairs(judged: Judged, groups: npt.NDArray[np.int64], *, thresholds: int = 2048) -> GroupedCurve:
    """Return the counts of each group of queries between neighbouring thresholds.

    Args:
        judged: results with scores.
        groups: int (Q,), 0..G-1.
        thresholds: at most so many are kept, at even quantiles of the relevant pairs; with fewer distinct scores the
            curve is exact.
    """
    scores, relevant = _scores(judged)
    size = int(groups.max(initial=-1)) + 1
    edges = np.unique(relevant)[::-1]
    if len(edges) > thresholds:
        kept = np.linspace(0, len(edges) - 1, thresholds).round().astype(np.int64)
        edges = edges[kept]
    total = np.bincount(groups, weights=judged.total, minlength=size).astype(np.float64, copy=False)
    owner = judged.owner[judged.ranks <= scores.shape[1]]
    hits = _table(relevant, groups[owner], edges, size)
    shown = np.zeros((size, len(edges)))
    for start in range(0, len(judged), block := 8192):  # blocks bound the memory of the indices
        part = scores[start : start + block]
        query, slot = np.nonzero(part >= edges[-1]) if len(edges) else np.nonzero(np.zeros_like(part))
        shown += _table(part[query, slot], groups[start + query], edges, size)
    return GroupedCurve(hits, shown, total)


def _table(scores: Scores, groups: npt.NDArray[np.int64], edges: Scores, size: int) -> Floats:
    """Count (G, T): the pairs of a group that reach an edge (edges descend) and not the one before it."""
    above = len(edges) - np.searchsorted(edges[::-1], scores, side="right")  # edges higher than the score
    inside = above < len(edges)
    cell = groups[inside] * len(edges) + above[inside]
    return np.bincount(cell, minlength=size * len(edges)).reshape(size, len(edges)).astype(np.float64)


def _scores(judged: Judged) -> tuple[Scores, Scores]:
    """Return the scores (Q, K) and those of the relevant results among them (P',)."""
    if judged.scores is None:
        raise BadInput(
            "a metric over all query–result pairs needs the scores of all results.", hint="Give Judged scores=..."
        )
    inside = judged.ranks <= judged.scores.shape[1]
    relevant = judged.scores[judged.owner[inside], judged.ranks[inside] - 1]
    if np.isneginf(relevant).any():
        raise BadInput("a relevant result has the score -inf, which marks an unused slot.")
    return judged.scores, relevant
