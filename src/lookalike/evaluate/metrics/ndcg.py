"""Normalised discounted cumulative gain: graded relevance, worth less the later it comes.

The gain is the grade itself and the discount 1 / log2(rank + 1), as in trec_eval's ``ndcg_cut_K``. Burges et al. (ICML
2005) use 2 ** grade - 1, which ``gain="exponential"`` gives; the two agree where relevance is yes or no.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..judged import Judged
from .base import Metric, Values, share

__all__ = ["METRICS", "ndcg"]


def ndcg(judged: Judged, k: int, *, gain: Literal["linear", "exponential"] = "linear") -> Values:
    """Return (Q,) in [0, 1]: the discounted gain of the first k results, divided by the best that is possible.

    The best order takes the k highest grades of all relevant items in the base, found or not.
    """
    inside = judged.within(k)
    gains = _gain(judged.grades, gain) * inside
    got = judged.sums(gains / np.log2(1.0 + judged.ranks))
    return share(got, _best(judged, k, gain))


def _best(judged: Judged, k: int, gain: str) -> npt.NDArray[np.float64]:
    deepest = int(min(judged.total.max(initial=0), k))
    discounts = 1 / np.log2(np.arange(2.0, deepest + 2))
    if judged.ideal is None:
        return np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(judged.total, k)]
    owner = np.repeat(np.arange(len(judged)), judged.total)
    place = np.arange(len(owner)) - (np.cumsum(judged.total) - judged.total)[owner]
    top = place < k
    weights = _gain(judged.ideal[top], gain) * discounts[place[top]]
    return np.bincount(owner[top], weights=weights, minlength=len(judged)).astype(np.float64, copy=False)


def _gain(grades: npt.NDArray[Any], gain: str) -> npt.NDArray[np.float64]:
    grades = grades.astype(np.float64)
    return grades if gain == "linear" else np.exp2(grades) - 1


METRICS = (
    Metric(
        key="ndcg@K",
        per_query=ndcg,
        definition="The sum over the first K results of grade / log2(rank + 1), divided by the best such sum possible.",
        source="Järvelin and Kekäläinen, TOIS 2002; trec_eval `ndcg_cut_K`",
    ),
)
