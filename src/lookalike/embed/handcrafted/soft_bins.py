"""Histograms with soft edges between their bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

__all__ = ["Axis", "count"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a histogram.

    Attributes:
        low, high: its ends; values beyond them go to the outermost bins.
        bins: at least 2.
        closed: it goes round, as hue does: the last bin is the neighbour of the first.
    """

    low: float
    high: float
    bins: int
    closed: bool = False

    def shared(self, values: Floats, softness: float) -> tuple[Ints, Ints, Floats]:
        """Return the two bins of each value, and the part of it that goes to the upper one."""
        at = (values - self.low) * (self.bins / (self.high - self.low)) - 0.5
        if self.closed:
            lower = np.floor(at).astype(np.int64)
            first, second = lower % self.bins, (lower + 1) % self.bins
        else:
            at = np.clip(at, 0, self.bins - 1)
            lower = np.minimum(at.astype(np.int64), self.bins - 2)
            first, second = lower, lower + 1
        return first, second, np.clip((at - lower - 0.5) / softness + 0.5, 0, 1).astype(np.float32)


def count(values: Floats, axes: Sequence[Axis], softness: float) -> Floats:
    """Return (B, all bins): how many of (B, ..., A) values each bin holds.

    Args:
        values: one for each axis in the last dimension.
        axes: bin (i, j, k) is at (i * bins of the second + j) * bins of the third + k.
        softness: the part of a bin's width in which a value is shared with the next bin; the rest counts whole.
    """
    flat = values.reshape(-1, len(axes))
    found = [axis.shared(flat[:, at], softness) for at, axis in enumerate(axes)]
    bins = int(np.prod([axis.bins for axis in axes]))
    first = np.repeat(np.arange(len(values)) * bins, len(flat) // max(len(values), 1))
    total = np.zeros(len(values) * bins)
    for upper in product((0, 1), repeat=len(axes)):
        place, share = np.zeros(len(flat), np.int64), np.ones(len(flat), np.float32)
        for axis, (low, high, part), up in zip(axes, found, upper, strict=True):
            place = place * axis.bins + (high if up else low)
            share = share * (part if up else 1 - part)
        some = share > 0  # most values lie well inside one bin
        total += np.bincount(first[some] + place[some], share[some], len(total))
    return total.reshape(len(values), bins).astype(np.float32)
