"""Bootstrap confidence intervals of means over queries, of many metrics at once.

Queries, or whole clusters of queries (classes), are drawn with replacement; all metrics share the draws, so a resample
of M metrics is one matrix product. Queries of one class resemble one another, and intervals that pretend otherwise are
too narrow: where classes are known, classes are drawn.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13-14 (percentile, BCa); Davison and
Hinkley, Bootstrap Methods and their Application, 1997, sec. 3.8 (clusters).
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, BadShape

__all__ = ["Method", "bootstrap_means", "draws", "interval"]

Method = Literal["bca", "percentile"]
Floats = npt.NDArray[np.float64]

_BLOCK = 1 << 22  # weights held at a time: 32 MiB


def draws(units: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield blocks (r, units) of how often each unit is drawn; r sums to ``resamples``, every row to ``units``."""
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // max(units, 1))
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
    if not 0 < confidence < 1 or resamples < 1:
        raise BadInput(f"needs a confidence in (0, 1) and resamples above 0, got {confidence} and {resamples}")
    sums, counts = _by_cluster(table, clusters, macro)
    if not len(sums):
        empty = np.full(table.shape[1], np.nan)
        return empty, empty.copy(), empty.copy()
    means = _ratio(sums.sum(axis=0), counts.sum(axis=0))
    replicates = np.concatenate([_ratio(w @ sums, w @ counts) for w in draws(len(sums), resamples, seed)])
    left_out = _ratio(sums.sum(axis=0) - sums, counts.sum(axis=0) - counts)  # (C, M), the jackknife
    left_out[np.broadcast_to(counts == 0, left_out.shape)] = np.nan
    ends = np.array(
        [
            interval(m, r, j, confidence=confidence, method=method)
            for m, r, j in zip(means, replicates.T, left_out.T, strict=True)
        ]
    ).reshape(-1, 2)
    return means, ends[:, 0], ends[:, 1]


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


def _by_cluster(table: Floats, clusters: npt.NDArray[np.int64] | None, macro: bool) -> tuple[Floats, Floats]:
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
