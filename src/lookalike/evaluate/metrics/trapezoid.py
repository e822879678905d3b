"""Average precision as the Oxford buildings program and ``revisitop`` compute it: by trapezoids under the curve.

Its values lie a little below ``map``'s, and are the ones in the literature on (Revisited) Oxford and Paris.
"""

from __future__ import annotations

import numpy as np

from ..judged import Judged
from .base import Metric, Values, share

__all__ = ["METRICS", "trapezoid_average_precision"]


def trapezoid_average_precision(judged: Judged, _: int = 0) -> Values:
    """Return (Q,) in [0, 1]: the mean over relevant items of the precision before and at each, averaged."""
    judged.within(None)  # refuses a ranking that may hide relevant items
    # Before the first rank nothing is shown, and the program takes that precision as 1.
    before = np.where(judged.ranks == 1, 1.0, (judged.nth - 1) / np.maximum(judged.ranks - 1, 1))
    return share(judged.sums((before + judged.nth / judged.ranks) / 2), judged.total)


METRICS = (
    Metric(
        key="map_revisited",
        per_query=trapezoid_average_precision,
        definition="The mean over all relevant items of the average of the precisions just before and at their ranks.",
        source="Philbin et al., CVPR 2007 (`compute_ap`); Radenović et al., CVPR 2018, `revisitop`",
    ),
)
