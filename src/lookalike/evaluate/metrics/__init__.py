"""The table of metrics. A new one is a file beside this and its module's name in ``_FAMILIES``.

A query without a relevant item has no value (NaN) in any metric of single queries; it is counted, never averaged as 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from ...errors import BadInput, UnknownName
from ...nearest_name import choices
from . import average_precision, clusters, first_and_last, hits, ndcg, pairs, trapezoid
from .base import Agreement, Metric, PerQuery, Pooled, Values

__all__ = ["METRICS", "Agreement", "Metric", "PerQuery", "Pooled", "Values", "parse_metric"]

_FAMILIES = (average_precision, trapezoid, hits, ndcg, first_and_last, pairs, clusters)

METRICS: Mapping[str, Metric] = MappingProxyType({m.key: m for family in _FAMILIES for m in family.METRICS})


def parse_metric(key: str) -> tuple[Metric, int]:
    """Return the metric that a key such as ``precision@10`` names, and its cut; 0 for a metric without one.

    Raises:
        UnknownName: no such metric; the nearest key is offered.
        BadInput: a cut that is missing, is not a whole number above 0, or belongs to a metric that takes none.
    """
    stem, at, cut = key.partition("@")
    metric = METRICS.get(f"{stem}@K" if at else stem)
    if metric is None:
        if not at and f"{stem}@K" in METRICS:
            raise BadInput(f"the metric {stem!r} needs a cut.", hint=f"Write for example {stem}@10.")
        if at and stem in METRICS:
            raise BadInput(f"the metric {stem!r} takes no cut, got {key!r}.", hint=f"Write {stem}.")
        raise UnknownName(f"unknown metric {key!r}.", hint=choices(f"{stem}@K" if at else stem, METRICS))
    if not at:
        return metric, 0
    if not re.fullmatch(r"[1-9][0-9]*", cut):
        raise BadInput(
            f"the cut of {key!r} must be a whole number above 0, got {cut!r}.", hint=f"Write for example {stem}@10."
        )
    return metric, int(cut)
