"""Which queries a report shows as pictures: the worst, the middle and the best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Chosen", "choose", "most_changed"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Positions of queries, each in one of the three at most: worst first, then by rising value, best first."""

    worst: Ints
    median: Ints
    best: Ints


def choose(values: Floats, count: int, *, seed: int = 0) -> Chosen:
    """Choose ``count`` queries of each kind; with fewer than three times as many, they are shared out evenly.

    Args:
        values: (Q,), higher is better; queries with NaN are never chosen.
        count: queries of each kind, at least 0.
        seed: queries of equal value are taken in an order drawn from it, so that they are not all of the first class.
    """
    shuffled = np.random.default_rng(seed).permutation(len(values))
    known = shuffled[~np.isnan(values[shuffled])]
    ordered = known[np.argsort(values[known], kind="stable")]
    if len(ordered) <= 3 * count:
        worst, median, best = np.array_split(ordered, 3)
    else:
        start = (len(ordered) - count) // 2
        worst, median, best = ordered[:count], ordered[start : start + count], ordered[len(ordered) - count :]
    return Chosen(worst, median, best[::-1])


def most_changed(differences: Floats, count: int) -> tuple[Ints, Ints]:
    """Return the positions of the ``count`` largest losses and of the ``count`` largest gains, largest first.

    Args:
        differences: (Q,), second minus first; NaN and 0 are never chosen.
        count: of each kind, at least 0.
    """
    order = np.argsort(differences, kind="stable")  # NaN comes last
    lost = order[differences[order] < 0]
    gained = np.argsort(-differences, kind="stable")
    return lost[:count], gained[differences[gained] > 0][:count]
