"""What the plots of a report show, as numbers: pure functions of judged rankings.

Every curve is an average over the queries that have something to find, weighed as the report's figures are: queries
alike (``micro``) or classes alike (``macro``). Where a ranking was cut, what lies beyond the cut counts as not found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..curve import pool
from ..evaluation import Evaluation
from ..judged import Judged
from ..summary import Average, clusters_of

__all__ = ["Distributions", "by_cut", "distributions", "interpolated_precision", "pooled_precision", "query_weights"]

Floats = npt.NDArray[np.float64]
TENTHS = 11


@dataclass(frozen=True, slots=True, eq=False)
class Distributions:
    """How the scores of relevant and other results are spread over B bins.

    Attributes:
        edges: (B + 1,), ascending.
        relevant, other: (B,), the share of the relevant (other) results in each bin; each sums to 1, or to 0 when there
            are none.
        counts: how many results of the two kinds there are.
    """

    edges: Floats
    relevant: Floats
    other: Floats
    counts: tuple[int, int]


def query_weights(judged: Judged, average: Average = "micro") -> Floats:
    """Return (Q,), what each query counts for; they sum to 1, and a query with nothing to find has 0."""
    weights = judged.defined.astype(np.float64)
    if average == "macro":
        clusters = clusters_of(judged, average=average, by=None)
        if clusters is not None:
            weights /= np.maximum(np.bincount(clusters, weights=weights), 1)[clusters]
    out: Floats = weights / max(float(weights.sum()), 1e-300)
    return out


def interpolated_precision(judged: Judged, average: Average = "micro") -> Floats:
    """Return (11,), the mean interpolated precision at recall 0, 0.1 .. 1.

    The interpolated precision at a recall is the highest precision at that recall or a higher one (Manning, Raghavan
    and Schütze, Introduction to Information Retrieval, section 8.4; trec_eval's ``iprec_at_recall``, but for its
    rounding: there 2 of 3 may count as a recall of 0.7).
    """
    precision = judged.nth / judged.ranks
    # The running maximum from the end of each query: a step of 2 a query keeps one query's values out of the next.
    step = 2.0 * (len(judged) - judged.owner)
    best = np.maximum.accumulate((precision + step)[::-1])[::-1] - step
    weights = query_weights(judged, average)
    out = np.zeros(TENTHS)
    for tenth in range(TENTHS):
        needed = np.maximum(1, (tenth * judged.total + 9) // 10)  # relevant items that make up this recall
        reached = needed <= judged.found
        out[tenth] = weights[reached] @ best[judged.starts[:-1][reached] + needed[reached] - 1]
    return out


def by_cut(judged: Judged, depth: int, average: Average = "micro") -> tuple[Floats, Floats]:
    """Return recall@k and precision@k, each (depth,), for k = 1..depth."""
    inside = judged.ranks <= depth
    owner, slot = judged.owner[inside], judged.ranks[inside] - 1
    weights = query_weights(judged, average)
    recall = np.bincount(slot, weights=weights[owner] / judged.total[owner], minlength=depth)
    hits = np.bincount(slot, weights=weights[owner], minlength=depth)
    return np.cumsum(recall), np.cumsum(hits) / np.arange(1, depth + 1)


def pooled_precision(judged: Judged, *, points: int = 256) -> tuple[Floats, Floats] | None:
    """Return recall and precision of all query-result pairs in one list, thinned to ``points``; None without scores."""
    if judged.scores is None or not len(judged.ranks):
        return None
    curve = pool(judged)
    if not len(curve.hits):
        return None
    kept = np.unique(np.linspace(0, len(curve.hits) - 1, points).round().astype(np.int64))
    return curve.hits[kept] / curve.total, curve.hits[kept] / curve.shown[kept]


def distributions(evaluation: Evaluation, *, bins: int = 40) -> Distributions | None:
    """Return how the scores of the results shown are spread; None when there is none, or none with a finite score."""
    scores = evaluation.shown_scores.astype(np.float64)
    there = (evaluation.shown >= 0) & np.isfinite(scores)
    if not there.any():
        return None
    relevant = there & (evaluation.shown_grades > 0)
    low, high = float(scores[there].min()), float(scores[there].max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)
    parts = [np.histogram(scores[chosen], edges)[0] for chosen in (relevant, there & ~relevant)]
    shares = [part / max(part.sum(), 1) for part in parts]
    return Distributions(edges, shares[0], shares[1], (int(parts[0].sum()), int(parts[1].sum())))
