"""Average precision: the mean of the precision at each relevant result. Three cuts of it, each divided differently.

``map`` divides by all relevant items (trec_eval's ``map``, PML's ``mean_average_precision``). ``map@K`` divides by
``min(total, K)``, as the Google Landmarks challenges do (Weyand et al. 2020), so that a perfect list scores 1;
trec_eval's ``map_cut_K`` divides by the total and cannot reach 1 when more than K are relevant. ``map_at_r`` looks at
the first R = total results (Musgrave et al. 2020). Precision is taken at ranks, without interpolation and
without the trapezoids of the original Oxford buildings program, which give other values.
"""

from __future__ import annotations

import numpy as np

from ..judged import Judged
from .base import Metric, Values, share

__all__ = ["METRICS", "average_precision", "average_precision_at", "average_precision_at_r"]


def average_precision(judged: Judged, _: int = 0) -> Values:
    """Return (Q,) in [0, 1]: sum of nth / rank over all relevant items, divided by their number; NaN without any."""
    judged.within(None)  # refuses a ranking that may hide relevant items
    return share(judged.sums(judged.nth / judged.ranks), judged.total)


def average_precision_at(judged: Judged, k: int) -> Values:
    """Return (Q,) in [0, 1]: the same sum over the first k results, divided by ``min(total, k)``."""
    inside = judged.within(k)
    return share(judged.sums(inside * judged.nth / judged.ranks), np.minimum(judged.total, k))


def average_precision_at_r(judged: Judged, _: int = 0) -> Values:
    """Return (Q,) in [0, 1]: the same sum over the first R results, divided by R, the number of relevant items."""
    inside = judged.within(judged.total)
    return share(judged.sums(inside * judged.nth / judged.ranks), judged.total)


METRICS = (
    Metric(
        key="map",
        per_query=average_precision,
        definition="The mean over all relevant items of the precision at their ranks in the whole base.",
        source="Buckley and Voorhees, SIGIR 2000; trec_eval `map`",
    ),
    Metric(
        key="map@K",
        per_query=average_precision_at,
        definition="The sum of the precisions at the relevant ranks up to K, divided by min(relevant items, K).",
        source="Weyand et al., Google Landmarks Dataset v2, CVPR 2020",
    ),
    Metric(
        key="map_at_r",
        per_query=average_precision_at_r,
        definition="The sum of the precisions at the relevant ranks up to R, divided by R, the number relevant.",
        source="Musgrave, Belongie and Lim, A Metric Learning Reality Check, ECCV 2020",
    ),
)
