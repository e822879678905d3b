"""Where the first and the last relevant result stand: reciprocal rank and inverse negative penalty."""

from __future__ import annotations

import numpy as np

from ..judged import Judged
from .base import Metric, Values, share

__all__ = ["METRICS", "inverse_penalty", "reciprocal_rank", "reciprocal_rank_at"]


def reciprocal_rank(judged: Judged, _: int = 0) -> Values:
    """Return (Q,) in [0, 1]: 1 / rank of the first relevant result; NaN where nothing is relevant."""
    if (judged.found[judged.defined] == 0).any():
        judged.within(None)  # refuses: the first one lies beyond what was judged
    return reciprocal_rank_at(judged, int(judged.ranks.max(initial=1)))


def reciprocal_rank_at(judged: Judged, k: int) -> Values:
    """Return (Q,) in [0, 1]: 1 / rank of the first relevant result, 0 when it is not among the first k."""
    leading = judged.nth == 1
    # Results after the first relevant one do not matter, so a short list is refused only where it found nothing.
    inside = judged.ranks <= k if (judged.found[judged.defined] > 0).all() else judged.within(k)
    return np.where(judged.defined, judged.sums(leading * inside / judged.ranks), np.nan)


def inverse_penalty(judged: Judged, _: int = 0) -> Values:
    """Return (Q,) in (0, 1]: relevant items / rank of the last of them; NaN where nothing is relevant."""
    judged.within(None)
    last = judged.nth == judged.total[judged.owner]
    return share(judged.total, judged.sums(last * judged.ranks))


METRICS = (
    Metric(
        key="mrr",
        per_query=reciprocal_rank,
        definition="The mean of 1 / rank of the first relevant result.",
        source="Voorhees, The TREC-8 Question Answering Track Report, 1999; trec_eval `recip_rank`",
    ),
    Metric(
        key="mrr@K",
        per_query=reciprocal_rank_at,
        definition="The same, with 0 for a query whose first relevant result is not among the first K.",
        source="Voorhees, The TREC-8 Question Answering Track Report, 1999",
    ),
    Metric(
        key="minp",
        per_query=inverse_penalty,
        definition="The mean of the number of relevant items divided by the rank of the last of them (mINP): "
        "what it costs to find them all.",
        source="Ye et al., Deep Learning for Person Re-identification, PAMI 2021",
    ),
)
