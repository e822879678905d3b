"""From judged results to a calibration: which score means which probability of being relevant, and how far off it is.

The pairs are the first results of each query, because those are what a search shows: among them the relevant are far
more frequent than among all pairs, so a calibration holds for first results in a base of about this size, not for
pairs drawn at random.

Sources: Ayer et al., "An empirical distribution function for sampling with incomplete information", 1955 (pool adjacent
violators); Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD
2002 (isotonic calibration); Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015
(expected calibration error), with bins of equal mass as in Nixon et al., "Measuring calibration in deep learning",
CVPR workshops 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from ..collection.calibration import Calibration
from ..errors import BadInput, BadShape
from .evaluation import Evaluation
from .intervals import draws

__all__ = ["Bins", "Calibrated", "calibrate", "calibration_error", "isotonic", "reliability"]

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BINS = 15
FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """A reliability plot: B bins of about equally many predictions, by rising prediction.

    Attributes:
        predicted: (B,), the mean prediction of each bin.
        observed: (B,), the share that is relevant.
        count: int (B,), how many predictions.
    """

    predicted: Doubles
    observed: Doubles
    count: Ints

    @property
    def error(self) -> float:
        """Return the expected calibration error: the mean distance of the two, weighed by count; NaN without bins."""
        if not len(self.count):
            return float("nan")
        return float(np.average(np.abs(self.predicted - self.observed), weights=self.count))

    def to_json(self) -> list[dict[str, float | int]]:
        """Return one object a bin."""
        columns = zip(self.predicted.tolist(), self.observed.tolist(), self.count.tolist(), strict=True)
        return [{"predicted": p, "observed": o, "count": n} for p, o, n in columns]


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A calibration, and the plot of how well it did on queries that it was not learnt from."""

    calibration: Calibration
    bins: Bins


def isotonic(scores: npt.ArrayLike, relevant: npt.ArrayLike) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the knots (T,), (T,) of the rising map that has the least squared error; linear between knots.

    Pairs of one score are averaged first. Where relevance would fall as the score rises, neighbours are pooled, from
    the left, until it does not. Each pool gives the knots of its lowest and its highest score.

    Args:
        scores: (N,) finite, N > 0; float32 is what is kept of them.
        relevant: (N,) values in [0, 1].
    """
    given, wanted = np.asarray(scores, np.float32), np.asarray(relevant, np.float64)
    if given.ndim != 1 or given.shape != wanted.shape or not len(given):
        raise BadShape(f"scores and relevance must share a shape (N,), N > 0, got {given.shape} and {wanted.shape}")
    if not np.isfinite(given).all() or not ((wanted >= 0) & (wanted <= 1)).all():
        raise BadShape("scores must be finite, and relevance must lie in [0, 1]")
    distinct, inverse, counts = np.unique(given, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=wanted)
    pools: list[tuple[float, int, int]] = []  # sum, count, place of its first score
    for place, (total, count) in enumerate(zip(sums.tolist(), counts.tolist(), strict=True)):
        first = place
        while pools and pools[-1][0] * count >= total * pools[-1][1]:
            before = pools.pop()
            total, count, first = total + before[0], count + before[1], before[2]
        pools.append((total, count, first))
    starts = np.array([first for _, _, first in pools])
    ends = np.append(starts[1:], len(distinct)) - 1
    values = np.array([total / count for total, count, _ in pools])
    places = np.stack([starts, ends], axis=1).ravel()
    kept = np.append(True, np.diff(places) > 0)  # a pool of one score has one knot
    probabilities = np.repeat(values, 2)[kept].clip(0, 1).astype(np.float32)
    return distinct[places[kept]], probabilities


def reliability(predicted: npt.ArrayLike, relevant: npt.ArrayLike, *, bins: int = BINS) -> Bins:
    """Sort predictions into at most ``bins`` bins of equal mass; equal predictions are never parted."""
    chances, truth = np.asarray(predicted, np.float64), np.asarray(relevant, np.float64)
    place, count = _binned(chances, bins)
    sums = [np.bincount(place, weights=values, minlength=count) for values in (chances, truth)]
    mass = np.bincount(place, minlength=count).astype(np.int64)
    return Bins(sums[0] / mass, sums[1] / mass, mass)


def _binned(predicted: Doubles, bins: int) -> tuple[Ints, int]:
    """Return the bin of each prediction (N,), and how many bins there are; none is empty."""
    if bins < 1:
        raise BadInput(f"a reliability plot needs at least one bin, got {bins}.")
    _, inverse, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2  # the rank of the middle of those that are equal
    wanted = np.minimum((middle * bins / max(len(predicted), 1)).astype(np.int64), bins - 1)
    used, place = np.unique(wanted, return_inverse=True)
    return place[inverse].astype(np.int64), len(used)


def calibration_error(
    predicted: npt.ArrayLike,
    relevant: npt.ArrayLike,
    units: npt.NDArray[np.int64],
    *,
    bins: int = BINS,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return the expected calibration error and the ends of its 95% interval.

    Noise alone moves the two sides of a bin apart, so the error of a resample is larger than that of the sample, as
    the sample's is larger than the truth: the interval is the basic one (Davison and Hinkley, Bootstrap Methods, 1997,
    eq. 5.6), which takes that off, extended to hold the error itself. It reaches down to 0 when noise alone would
    often give such an error: the surplus of each unit gets a random sign (Wu's wild bootstrap, 1986), which leaves its
    size and takes its direction away. The bins are those of the sample. In simulations of a thousand pairs it holds
    the truth in about nine cases of ten (``tests/evaluate/test_calibrate.py`` has one).

    Args:
        predicted: (N,) in [0, 1].
        relevant: (N,) bool.
        units: int (N,), 0..C-1, what is drawn together: classes, or queries.
        bins, resamples, seed: as usual; the ends are NaN with fewer than two units.
    """
    chances, truth = np.asarray(predicted, np.float64), np.asarray(relevant, np.float64)
    error = reliability(chances, truth, bins=bins).error
    size = int(units.max(initial=-1)) + 1
    if size < 2:
        return error, float("nan"), float("nan")
    place, count = _binned(chances, bins)
    cell = units * count + place
    surplus, mass = (
        np.bincount(cell, weights=weights, minlength=size * count).reshape(size, count)
        for weights in (chances - truth, np.ones(len(cell)))
    )
    weighed = draws(size, resamples, seed)
    drawn = np.concatenate([np.abs(w @ surplus).sum(axis=1) / (w @ mass).sum(axis=1) for w in weighed])
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(resamples, size))
    noise = np.abs(signs @ surplus).sum(axis=1) / mass.sum()
    low, high = 2 * error - np.quantile(drawn, [0.975, 0.025])
    if error <= np.quantile(noise, 0.95):
        low = 0.0
    return error, float(np.clip(low, 0, error)), float(np.clip(high, error, 1))


def calibrate(
    evaluation: Evaluation, fingerprint: str, *, seed: int = 0, folds: int = FOLDS, bins: int = BINS
) -> Calibrated:
    """Learn a calibration from all queries; measure it on queries whose whole class was held out.

    Args:
        evaluation: what a protocol found; the shown results and their grades are the pairs, any grade above 0 is
            relevant.
        fingerprint: of the vector space that was searched.
        seed: of the folds and the interval.
        folds: how many parts the classes (the queries, where there are no classes) are held out in.
        bins: of the reliability plot and the error.

    Raises:
        BadInput: no results at all, or fewer than two folds.
    """
    if folds < 2:
        raise BadInput(f"holding queries out needs at least 2 folds, got {folds}.")
    query, slot = np.nonzero((evaluation.shown >= 0) & np.isfinite(evaluation.shown_scores))
    if not len(query):
        raise BadInput("no query has a result, so there is nothing to calibrate from.", hint="Check the truth.")
    scores = evaluation.shown_scores[query, slot]
    relevant = evaluation.shown_grades[query, slot] > 0
    unit_of = _units(evaluation.judged.classes, len(evaluation))
    units = unit_of[query]
    held_out = _held_out(scores, relevant, units, folds=folds, seed=seed)
    known = ~np.isnan(held_out)
    # With one class nothing is held out, and nothing is known of the error.
    shown = np.unique(units[known], return_inverse=True)[1].astype(np.int64)
    error = calibration_error(held_out[known], relevant[known], shown, bins=bins, seed=seed)
    thresholds, probabilities = isotonic(scores, relevant)
    found = Calibration(
        thresholds=thresholds,
        probabilities=probabilities,
        fingerprint=fingerprint,
        ece=error[0],
        ece_low=error[1],
        ece_high=error[2],
        n=len(scores),
        queries=len(np.unique(query)),
        depth=int(slot.max()) + 1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Calibrated(found, reliability(held_out[known], relevant[known], bins=bins))


def _units(classes: npt.NDArray[Any] | None, count: int) -> Ints:
    """Return what is held out together (Q,): classes where there are several, else single queries."""
    if classes is not None:
        codes = np.unique(classes, return_inverse=True)[1].astype(np.int64)
        if codes.max(initial=0) > 0:
            return codes
    return np.arange(count, dtype=np.int64)


def _held_out(
    scores: npt.NDArray[np.float32], relevant: npt.NDArray[np.bool_], units: Ints, *, folds: int, seed: int
) -> Doubles:
    """Return the prediction of each pair (N,) by a map that was learnt without its unit; NaN where none could be."""
    count = int(units.max()) + 1
    fold_of = np.random.default_rng(seed).permutation(count) % folds
    fold = fold_of[units]
    predicted = np.full(len(scores), np.nan)
    for each in range(folds):
        out = fold == each
        if out.any() and not out.all():
            thresholds, probabilities = isotonic(scores[~out], relevant[~out])
            predicted[out] = np.interp(scores[out].astype(np.float64), thresholds, probabilities)
    return predicted
