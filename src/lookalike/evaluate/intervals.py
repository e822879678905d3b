"""Bootstrap confidence intervals of many metrics at once: of means over queries, and of metrics of pooled pairs.

Queries, or whole clusters of queries (classes), are drawn with replacement; all metrics share the draws, so a resample
of M metrics is one matrix product. Queries of one class resemble one another, and intervals that pretend otherwise are
too narrow: where classes are known, classes are drawn.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13-14 (percentile, BCa); Davison and
Hinkley, Bootstrap Methods and their Application, 1997, sec. 3.8 (clusters).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, BadShape
from .curve import group_pairs, pool
from .judged import Judged
from .metrics import Pooled

__all__ = [
    "Method",
    "Replicates",
    "bootstrap_means",
    "by_cluster",
    "draws",
    "interval",
    "means",
    "merged",
    "pooled_replicates",
]

Method = Literal["bca", "percentile"]
Floats = npt.NDArray[np.float64]

_BLOCK = 1 << 22  # weights held at a time: 32 MiB
_GROUPS = 1000  # units drawn for pooled metrics, whose resamples cost units × thresholds


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """What an interval is made of, for M metrics.

    Attributes:
        values: (M,), the estimates from all of the data.
        resampled: (R, M), the estimates from the resamples; NaN where a resample defines none.
        left_out: (C, M), the estimates with one unit left out; NaN for a unit without a value.
    """

    values: Floats
    resampled: Floats
    left_out: Floats

    def __sub__(self, other: Replicates) -> Replicates:
        """Return the differences; both must come from the same draws."""
        return Replicates(self.values - other.values, self.resampled - other.resampled, self.left_out - other.left_out)

    def intervals(self, *, confidence: float = 0.95, method: Method = "bca") -> tuple[Floats, Floats]:
        """Return the low and the high ends, (M,) each."""
        columns = zip(self.values, self.resampled.T, self.left_out.T, strict=True)
        ends = np.array([interval(v, r, j, confidence=confidence, method=method) for v, r, j in columns])
        return ends.reshape(-1, 2)[:, 0], ends.reshape(-1, 2)[:, 1]


def draws(units: int, resamples: int, seed: int, *, rows: int = 1 << 10) -> Iterator[Floats]:
    """Yield blocks (r, units) of how often each unit is drawn; r sums to ``resamples``, every row to ``units``."""
    if resamples < 1:
        raise BadInput(f"an interval needs at least one resample, got {resamples}.")
    rng = np.random.default_rng(seed)
    rows = max(1, min(rows, _BLOCK // max(units, 1)))
    for start in range(0, resamples, rows):
        block = np.empty((min(rows, resamples - start), units))
        for row in block:
            row[:] = np.bincount(rng.integers(0, units, size=units, dtype=np.int32), minlength=units)
        yield block


def bootstrap_means(
    values: npt.NDArray[np.floating[Any]],
    clusters: npt.NDArray[np.int64] | None = None,
    *,
    macro: bool = False,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    method: Method = "bca",
) -> tuple[Floats, Floats, Floats]:
    """Return the means of M metrics over Q queries, and the low and high ends of their intervals, (M,) each.

    Args:
        values: (Q, M); NaN where a metric is not defined for a query: such a value enters no mean.
        clusters: int (Q,), 0..C-1, what is drawn together; None draws single queries.
        macro: average within each cluster first, then over clusters.
        resamples: how many resamples; 1000 leave the ends of a 95% interval a noise of a few hundredths of its width.
        seed: the draws depend on it and on the number of clusters alone.
        confidence: of the interval, in (0, 1).
        method: ``bca`` corrects for bias and skew, which metrics near 0 or 1 have; ``percentile`` does not.

    The ends are NaN where fewer than two clusters have a value: a single one says nothing about others.
    """
    table = np.asarray(values, np.float64)
    if table.ndim != 2:
        raise BadShape(f"values must have the shape (Q, M), got {table.shape}")
    sums, counts = by_cluster(table, clusters, macro)
    estimate = _ratio(sums.sum(axis=0), counts.sum(axis=0))
    resampled = np.concatenate([_ratio(w @ sums, w @ counts) for w in draws(len(sums), resamples, seed)])
    left_out = _ratio(sums.sum(axis=0) - sums, counts.sum(axis=0) - counts)
    left_out[np.broadcast_to(counts == 0, left_out.shape)] = np.nan
    return (estimate, *Replicates(estimate, resampled, left_out).intervals(confidence=confidence, method=method))


def pooled_replicates(
    judged: Judged,
    metrics: Sequence[Pooled],
    clusters: npt.NDArray[np.int64] | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Replicates:
    """Return the estimates of metrics of pooled pairs, and what their intervals are made of.

    Two things keep a resample cheap, where sorting ten million pairs a thousand times would take minutes. More than
    1000 units (queries or clusters) are first put into 1000 groups at random, and groups are drawn: the variance of
    a sum of independent units is the same however they are grouped, and is estimated to about 4%. And thresholds are
    taken at 2048 quantiles of the relevant pairs; the estimates are moved by what that changes in the exact value.

    Args:
        judged: results with scores.
        metrics: functions of a ``Curve``.
        clusters: int (Q,), 0..C-1, what is drawn together; None draws single queries.
        resamples, seed: as in ``bootstrap_means``.
    """
    curve = pool(judged)
    values = np.array([float(metric(curve)) for metric in metrics])
    units = np.arange(len(judged)) if clusters is None else clusters
    units = merged(units, seed)
    count = int(units.max(initial=-1)) + 1
    grouped = group_pairs(judged, units)

    def estimates(weights: Floats) -> Floats:
        drawn = grouped.weighted(weights)
        return np.array([metric(drawn) for metric in metrics]).reshape(len(metrics), len(weights)).T

    shift = values - estimates(np.ones((1, count)))[0]
    blocks = [estimates(w) for w in draws(count, resamples, seed, rows=128)]
    left_out = np.concatenate([np.empty((0, len(metrics))), *(estimates(w) for w in _all_but_one(count, rows=128))])
    return Replicates(values, np.concatenate(blocks) + shift, left_out + shift)


def merged(units: npt.NDArray[np.int64], seed: int, *, limit: int = _GROUPS) -> npt.NDArray[np.int64]:
    """Return the units 0..C-1 merged at random into ``limit`` groups, 0..limit-1; unchanged when there are no more."""
    count = int(units.max(initial=-1)) + 1
    if count <= limit:
        return units
    group: npt.NDArray[np.int64] = (np.random.default_rng(seed).permutation(count) % limit)[units]
    return group


def _all_but_one(units: int, rows: int) -> Iterator[Floats]:
    for start in range(0, units, rows):
        block = np.ones((min(rows, units - start), units))
        block[np.arange(len(block)), start + np.arange(len(block))] = 0
        yield block


def interval(
    value: float, replicates: Floats, left_out: Floats, *, confidence: float = 0.95, method: Method = "bca"
) -> tuple[float, float]:
    """Return the ends of one interval.

    Args:
        value: the estimate from all of the data.
        replicates: (R,), the estimates from the resamples; NaN ones are left out.
        left_out: (C,), the estimates with one cluster left out, NaN for a cluster without a value.
        confidence: in (0, 1).
        method: ``bca`` or ``percentile``; BCa is the percentile interval where it has nothing to correct.
    """
    if not 0 < confidence < 1:
        raise BadInput(f"the confidence of an interval must be between 0 and 1, got {confidence}.")
    replicates = replicates[~np.isnan(replicates)]
    left_out = left_out[~np.isnan(left_out)]
    if len(left_out) < 2 or not len(replicates):
        return np.nan, np.nan
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if method == "bca":
        tails = _corrected(tails, value, replicates, left_out)
    low, high = np.quantile(replicates, tails)
    return float(low), float(high)


def _corrected(tails: Floats, value: float, replicates: Floats, left_out: Floats) -> Floats:
    """Shift the tails as BCa does (Efron and Tibshirani, eq. 14.10, 14.14 and 14.15)."""
    # Replicates equal to the value count half: with few clusters or coarse metrics there are many of them.
    below = ((replicates < value).mean() + (replicates <= value).mean()) / 2
    deviations = left_out.mean() - left_out
    spread = (deviations**2).sum()
    if not 0 < below < 1 or spread == 0:
        return tails
    normal = NormalDist()
    bias = normal.inv_cdf(below)
    acceleration = (deviations**3).sum() / (6 * spread**1.5)
    shifted = []
    for tail in tails:
        z = bias + normal.inv_cdf(tail)
        shifted.append(normal.cdf(bias + z / (1 - acceleration * z)))
    return np.array(shifted)


def means(table: Floats, clusters: npt.NDArray[np.int64] | None = None, *, macro: bool = False) -> Floats:
    """Return the means (M,) of the defined values (Q, M); NaN for a column without any."""
    sums, counts = by_cluster(table, clusters, macro)
    return _ratio(sums.sum(axis=0), counts.sum(axis=0))


def by_cluster(table: Floats, clusters: npt.NDArray[np.int64] | None, macro: bool) -> tuple[Floats, Floats]:
    """Return the sums and counts of the defined values, (C, M) each; counts (C, 1) when all metrics share them."""
    defined = ~np.isnan(table)
    sums, counts = np.where(defined, table, 0.0), defined.astype(np.float64)
    if (defined == defined[:, :1]).all():
        counts = counts[:, :1]
    if clusters is None:
        return sums, counts
    if clusters.shape != (len(table),):
        raise BadShape(f"clusters must have the shape ({len(table)},), got {clusters.shape}")
    sums, counts = _grouped(sums, clusters), _grouped(counts, clusters)
    if macro:
        return np.nan_to_num(_ratio(sums, counts)), (counts > 0).astype(np.float64)
    return sums, counts


def _grouped(columns: Floats, clusters: npt.NDArray[np.int64]) -> Floats:
    """Sum (Q, M) within clusters: (C, M)."""
    size = int(clusters.max(initial=-1)) + 1
    out = np.empty((size, columns.shape[1]))
    for i, column in enumerate(columns.T):
        out[:, i] = np.bincount(clusters, weights=column, minlength=size)
    return out


def _ratio(sums: Floats, counts: Floats) -> Floats:
    out = np.full(np.broadcast_shapes(sums.shape, counts.shape), np.nan)
    np.divide(sums, counts, out=out, where=np.broadcast_to(counts > 0, out.shape))
    return out
