"""Is one system better than another? A paired test on the same queries, and an honest 'cannot tell'.

Metrics of single queries are tested by randomisation: were the two systems alike, the sign of each difference would be
a coin toss, so the observed mean is set against those of random signs. Where classes are known their queries share one
coin, because they are not independent. Metrics of pooled pairs cannot be swapped query by query (the scores of two
systems share no scale); their p-value is that of the paired bootstrap.

Sources: Fisher, The Design of Experiments, 1935; Smucker, Allan and Carterette, A Comparison of Statistical
Significance Tests for Information Retrieval Evaluation, CIKM 2007; Holm, Scandinavian Journal of Statistics, 1979.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, BadShape
from .intervals import Method, bootstrap_means, by_cluster, means, merged, pooled_replicates
from .judged import Judged
from .metrics import parse_metric
from .summary import Average, Unit, clusters_of, per_query

__all__ = ["Comparison", "Verdict", "compare", "holm", "sign_flip"]

Floats = npt.NDArray[np.float64]
Verdict = Literal["better", "worse", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second system against the first, in one metric.

    Attributes:
        first, second: the averages of the two.
        difference: second - first.
        low, high: the ends of its confidence interval.
        p: how likely so large a difference is between two systems that are alike, in (0, 1].
        p_adjusted: the same, corrected for the number of metrics compared (Holm).
        n: how many queries both are the average of.
        verdict: on the second system. It is ``better`` or ``worse`` only where the adjusted p is under
            1 - confidence and the interval leaves out 0.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    n: int
    verdict: Verdict


def compare(
    first: Judged,
    second: Judged,
    keys: Sequence[str],
    *,
    average: Average = "micro",
    by: Unit | None = None,
    resamples: int = 1000,
    permutations: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
    method: Method = "bca",
) -> dict[str, Comparison]:
    """Compare two systems on the same queries, in the same order, with the same relevant items.

    Args:
        first, second: what each gave; the classes are the first one's.
        keys: names of metrics.
        average, by, resamples, seed, confidence, method: as in ``summarise``.
        permutations: random signs tried; with at most that many ways to set the signs, all are.

    Raises:
        BadInput: the two differ in their queries or in what is relevant to them.
    """
    _check_same(first, second)
    parsed = {key: parse_metric(key)[0] for key in keys}
    clusters = clusters_of(first, average=average, by=by)
    draw: dict[str, Any] = {"resamples": resamples, "seed": seed}
    form: dict[str, Any] = {"confidence": confidence, "method": method}
    rows: dict[str, tuple[float, float, float, float, float, float, int]] = {}

    single = [key for key, metric in parsed.items() if metric.pooled is None]
    left, right = (_table(judged, single) for judged in (first, second))
    macro = average == "macro"
    difference, low, high = bootstrap_means(right - left, clusters, macro=macro, **draw, **form)
    a, b = (means(side, clusters, macro=macro) for side in (left, right))
    p = sign_flip(right - left, clusters, macro=macro, permutations=permutations, seed=seed)
    n = (~np.isnan(left)).sum(axis=0)
    for i, key in enumerate(single):
        rows[key] = (a[i], b[i], difference[i], low[i], high[i], p[i], int(n[i]))

    pooled = {key: metric.pooled for key, metric in parsed.items() if metric.pooled is not None}
    if pooled:
        sides = [pooled_replicates(judged, list(pooled.values()), clusters, **draw) for judged in (first, second)]
        gap = sides[1] - sides[0]
        low, high = gap.intervals(**form)
        tail = 1 + np.minimum((gap.resampled <= 0).sum(axis=0), (gap.resampled >= 0).sum(axis=0))
        p = np.minimum(1.0, 2 * tail / (len(gap.resampled) + 1))
        for i, key in enumerate(pooled):
            rows[key] = (sides[0].values[i], sides[1].values[i], gap.values[i], low[i], high[i], p[i], len(first))

    adjusted = holm([rows[key][5] for key in keys])
    out = {}
    for key, corrected in zip(keys, adjusted, strict=True):
        *figures, count = rows[key]
        one, two, gain, bottom, top, raw = (float(x) for x in figures)
        verdict: Verdict = "cannot tell"
        if corrected < 1 - confidence and (bottom > 0 or top < 0):
            verdict = "better" if (gain > 0) == parsed[key].higher_is_better else "worse"
        out[key] = Comparison(one, two, gain, bottom, top, raw, float(corrected), int(count), verdict)
    return out


def sign_flip(
    differences: Floats,
    clusters: npt.NDArray[np.int64] | None = None,
    *,
    macro: bool = False,
    permutations: int = 10_000,
    seed: int = 0,
) -> Floats:
    """Return the two-sided p-values (M,) of the hypothesis that the differences are symmetric about 0.

    Args:
        differences: (Q, M), NaN where a metric is not defined for a query.
        clusters: int (Q,), 0..C-1, which queries share a sign; None gives each its own. More than 1000 are first
            merged into 1000 at random, which changes neither the mean nor its variance.
        macro: compare the mean of the clusters' means instead of the mean over queries.
        permutations: random signs tried; all 2 ** C are when there are no more of them.
        seed: of the random signs.
    """
    if differences.ndim != 2:
        raise BadShape(f"differences must have the shape (Q, M), got {differences.shape}")
    sums = by_cluster(differences, clusters, macro)[0]
    groups = merged(np.arange(len(sums)), seed)
    sums = by_cluster(sums, groups, False)[0] if len(sums) else sums
    observed = np.abs(sums.sum(axis=0))
    # Sums of the same numbers in another order differ in the last bits, and must count as equal.
    bar = observed - 1e-12 * np.abs(sums).sum(axis=0)
    reached, tried = np.zeros(differences.shape[1]), 0
    exact = len(sums) < 63 and 2 ** len(sums) <= permutations
    for signs in _all_signs(len(sums)) if exact else _random_signs(len(sums), permutations, seed):
        reached += (np.abs(signs @ sums) >= bar).sum(axis=0)
        tried += len(signs)
    return reached / tried if exact else (reached + 1) / (tried + 1)  # the observed signs are one of the random ones


def holm(p: Sequence[float]) -> Floats:
    """Return p-values corrected for their number, so that any false 'better' among them stays under the level."""
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    out = np.empty(len(values))
    out[order] = np.minimum(stepped, 1.0)
    return out


def _all_signs(units: int) -> Iterator[Floats]:
    bits = np.arange(2**units)[:, None] >> np.arange(units) & 1
    yield (1 - 2 * bits).astype(np.float64)


def _random_signs(units: int, permutations: int, seed: int) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    for start in range(0, permutations, 1024):
        coins = rng.integers(0, 2, size=(min(1024, permutations - start), units), dtype=np.int8)
        yield (2 * coins - 1).astype(np.float64)


def _table(judged: Judged, keys: Sequence[str]) -> Floats:
    values = per_query(judged, keys)
    return np.array([values[key] for key in keys]).reshape(len(keys), len(judged)).T


def _check_same(first: Judged, second: Judged) -> None:
    if len(first) != len(second):
        raise BadInput(
            f"the two systems answered {len(first)} and {len(second)} queries.", hint="Compare them on the same ones."
        )
    if first.query_ids is not None and second.query_ids is not None:
        other = first.query_ids != second.query_ids
        if other.any():
            at = int(np.argmax(other))
            raise BadInput(
                f"the two systems answered other queries: number {at} is {first.query_ids[at]!s} in the first "
                f"and {second.query_ids[at]!s} in the second.",
                hint="Compare them on the same queries in the same order.",
            )
    differs = first.total != second.total
    if differs.any():
        at = int(np.argmax(differs))
        raise BadInput(
            f"{first.name(at)} has {first.total[at]} relevant items in the base of the first system and "
            f"{second.total[at]} in that of the second.",
            hint="Compare them on the same base.",
        )
