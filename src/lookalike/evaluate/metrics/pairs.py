"""Metrics of all query–result pairs ranked in one list: does one threshold on the score serve all queries?

Queries with nothing to find count here: all that they return is false, which is the point of copy detection.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..curve import Curve
from .base import Metric

__all__ = ["METRICS", "micro_average_precision", "recall_at_precision"]


def micro_average_precision(curve: Curve) -> npt.NDArray[np.float64]:
    """Return (...,) in [0, 1]: the sum over thresholds of newly found pairs × precision, divided by all relevant."""
    found = np.diff(curve.hits, axis=-1, prepend=0)
    return _share((found * _share(curve.hits, curve.shown, 0.0)).sum(axis=-1), curve.total, np.nan)


def recall_at_precision(curve: Curve, precision: float = 0.9) -> npt.NDArray[np.float64]:
    """Return (...,) in [0, 1]: the highest recall at any threshold whose precision is at least ``precision``."""
    reached = np.where(_share(curve.hits, curve.shown, 0.0) >= precision, curve.hits, 0.0)
    return _share(reached.max(axis=-1, initial=0.0), curve.total, np.nan)


def _share(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64], empty: float) -> npt.NDArray[np.float64]:
    out = np.full(np.shape(part), empty)
    np.divide(part, whole, out=out, where=np.asarray(whole) > 0)
    return out


METRICS = (
    Metric(
        key="micro_ap",
        pooled=micro_average_precision,
        definition="The average precision (µAP) of all query–result pairs in one list by score; equal scores count "
        "as one step.",
        source="Perronnin, Liu and Renders, CVPR 2009; Douze et al., The 2021 Image Similarity Dataset",
    ),
    Metric(
        key="recall_at_p90",
        pooled=recall_at_precision,
        definition="The highest share of the relevant pairs that one threshold finds with a precision of at least 0.9.",
        source="Douze et al., The 2021 Image Similarity Dataset and Challenge, 2021",
    ),
)
