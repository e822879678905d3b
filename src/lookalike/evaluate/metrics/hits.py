"""What the first K results hold: precision, recall, hit rate and their kin.

The list is K long whatever the base: a base smaller than K leaves empty slots, which are misses (trec_eval's rule).
"""

from __future__ import annotations

import numpy as np

from ..judged import Judged
from .base import Metric, Values, share

__all__ = ["METRICS", "capped_precision", "hit_rate", "precision", "r_precision", "recall"]


def precision(judged: Judged, k: int) -> Values:
    """Return (Q,) in [0, 1]: relevant results in the first k, divided by k."""
    return np.where(judged.defined, judged.sums(judged.within(k)) / k, np.nan)


def recall(judged: Judged, k: int) -> Values:
    """Return (Q,) in [0, 1]: relevant results in the first k, divided by all relevant items."""
    return share(judged.sums(judged.within(k)), judged.total)


def hit_rate(judged: Judged, k: int) -> Values:
    """Return (Q,), 0 or 1: whether any of the first k results is relevant."""
    return np.where(judged.defined, judged.sums(judged.within(k)) > 0, np.nan)


def r_precision(judged: Judged, _: int = 0) -> Values:
    """Return (Q,) in [0, 1]: relevant results in the first R, divided by R, the number of relevant items."""
    return share(judged.sums(judged.within(judged.total)), judged.total)


def capped_precision(judged: Judged, k: int) -> Values:
    """Return (Q,) in [0, 1]: relevant results in the first k, divided by ``min(total, k)``."""
    return share(judged.sums(judged.within(k)), np.minimum(judged.total, k))


METRICS = (
    Metric(
        key="precision@K",
        per_query=precision,
        definition="The share of the first K results that is relevant.",
        source="trec_eval `P_K`",
    ),
    Metric(
        key="recall@K",
        per_query=recall,
        definition="The share of the relevant items that is among the first K results.",
        source="trec_eval `recall_K`; not the Recall@K of metric learning, which is hit_rate@K",
    ),
    Metric(
        key="hit_rate@K",
        per_query=hit_rate,
        definition="The share of queries with at least one relevant item among the first K results.",
        source="Jégou, Douze and Schmid, PAMI 2011; the Recall@K of metric learning (Oh Song et al., CVPR 2016)",
    ),
    Metric(
        key="cmc@K",
        per_query=hit_rate,
        definition="The cumulative matching characteristic at rank K with all gallery images kept, as Market-1501 "
        "counts it: hit_rate@K after the protocol's ignore rules; not the single-gallery-shot sampling of CUHK03.",
        source="Zheng et al., Scalable Person Re-identification, ICCV 2015",
    ),
    Metric(
        key="r_precision",
        per_query=r_precision,
        definition="The share of the first R results that is relevant, R being the number of relevant items.",
        source="trec_eval `Rprec`",
    ),
    Metric(
        key="mp5",
        per_query=lambda judged, _: capped_precision(judged, 5),
        definition="Relevant results among the first five, divided by min(relevant items, 5).",
        source="Google Universal Image Embedding challenge, ECCV 2022, mP@5",
    ),
)
