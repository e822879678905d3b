"""From the values of single queries to the figures of a table: averages with intervals, and what was left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .intervals import Method, bootstrap_means, pooled_replicates
from .judged import Judged
from .metrics import Values, parse_metric

__all__ = ["Average", "Estimate", "Unit", "clusters_of", "per_class", "per_query", "summarise"]

Average = Literal["micro", "macro"]
Unit = Literal["class", "query"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """One figure.

    Attributes:
        value: the average; NaN when no query defines it.
        low, high: the ends of its confidence interval; NaN when there are fewer than two units to draw from.
        n: how many queries it is the average of.
        undefined: how many queries have no value, because nothing in the base is relevant to them.
    """

    value: float
    low: float
    high: float
    n: int
    undefined: int = 0

    def as_json(self) -> dict[str, float | int | None]:
        """Return ``value``, ``low``, ``high`` and ``n``; None in place of NaN, which JSON does not have."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        return {**{key: None if math.isnan(x) else x for key, x in ends.items()}, "n": self.n}


def per_query(judged: Judged, keys: Sequence[str]) -> dict[str, Values]:
    """Return the (Q,) values of each metric; NaN where a query has nothing to find."""
    parsed = {key: parse_metric(key) for key in keys}  # all keys are checked before anything is computed
    return {key: metric.values(judged, cut) for key, (metric, cut) in parsed.items()}


def summarise(
    judged: Judged,
    keys: Sequence[str],
    *,
    average: Average = "micro",
    by: Unit | None = None,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    method: Method = "bca",
) -> dict[str, Estimate]:
    """Return the average of each metric over the queries, with its bootstrap interval.

    Args:
        judged: what the search gave.
        keys: names of metrics, such as ``map`` and ``hit_rate@1``.
        average: ``micro`` weighs queries alike, ``macro`` classes alike (the mean of their means; its intervals
            always draw classes). Metrics of pooled pairs, such as ``micro_ap``, have one value either way.
        by: what is drawn for the interval; None draws classes where they are known, else queries.
        resamples, seed, confidence, method: as in ``bootstrap_means``.

    Raises:
        BadInput: a class average or interval without classes, or a bad key.
    """
    parsed = {key: parse_metric(key) for key in keys}
    clusters = clusters_of(judged, average=average, by=by)
    draw: dict[str, Any] = {"resamples": resamples, "seed": seed}
    form: dict[str, Any] = {"confidence": confidence, "method": method}

    single = [key for key, (metric, _) in parsed.items() if metric.pooled is None]
    values = per_query(judged, single)
    table = np.array([values[key] for key in single]).reshape(len(single), len(judged)).T
    mean, low, high = bootstrap_means(table, clusters, macro=average == "macro", **draw, **form)
    n = (~np.isnan(table)).sum(axis=0)
    out = {
        key: Estimate(float(mean[i]), float(low[i]), float(high[i]), int(n[i]), len(judged) - int(n[i]))
        for i, key in enumerate(single)
    }
    pooled = {key: metric.pooled for key, (metric, _) in parsed.items() if metric.pooled is not None}
    if pooled:
        replicates = pooled_replicates(judged, list(pooled.values()), clusters, **draw)
        low, high = replicates.intervals(**form)
        for i, key in enumerate(pooled):
            out[key] = Estimate(float(replicates.values[i]), float(low[i]), float(high[i]), len(judged))
    return {key: out[key] for key in keys}


def clusters_of(judged: Judged, *, average: Average, by: Unit | None) -> npt.NDArray[np.int64] | None:
    """Return the class 0..C-1 of each query (Q,) when classes are to be drawn, None when queries are."""
    if judged.classes is None:
        if average == "macro" or by == "class":
            raise BadInput(
                "an average or interval by class needs the class of each query.", hint="Give Judged classes=..."
            )
        return None
    if average == "micro" and by == "query":
        return None
    return np.unique(judged.classes, return_inverse=True)[1].astype(np.int64)


def per_class(judged: Judged, keys: Sequence[str]) -> tuple[npt.NDArray[Any], dict[str, Values]]:
    """Return the C classes, sorted, and the (C,) mean of each metric in each; NaN where no query of a class has one."""
    if judged.classes is None:
        raise BadInput("a table by class needs the class of each query.", hint="Give Judged classes=...")
    classes, inverse = np.unique(judged.classes, return_inverse=True)
    out = {}
    for key, values in per_query(judged, keys).items():
        defined = ~np.isnan(values)
        sums = np.bincount(inverse[defined], weights=values[defined], minlength=len(classes))
        counts = np.bincount(inverse[defined], minlength=len(classes))
        out[key] = np.divide(sums, counts, out=np.full(len(classes), np.nan), where=counts > 0)
    return classes, out
