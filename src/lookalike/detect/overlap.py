"""How much two boxes share, and leaving out the ones that say again what a better one said."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..types import Region

__all__ = ["overlap", "strongest"]


def overlap(a: Region, b: Region) -> float:
    """Return the area that both boxes cover over the area that either does, in [0, 1] (intersection over union)."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - both)


def strongest(
    boxes: npt.NDArray[np.floating],
    scores: npt.NDArray[np.floating],
    *,
    most_overlap: float,
    groups: npt.NDArray[np.integer] | None = None,
    limit: int | None = None,
) -> npt.NDArray[np.int64]:
    """Return the positions of the boxes that no better one overlaps, best first (non-maximum suppression).

    Args:
        boxes: (N, 4) x0, y0, x1, y1; x1 and y1 exclusive.
        scores: (N,), higher is better; of equal scores the earlier box wins.
        most_overlap: in [0, 1]; a box that shares more than this (over the union) with a kept one is left out.
        groups: (N,) boxes of different groups (classes) do not suppress each other; None: one group.
        limit: stop after so many.

    Raises:
        BadInput: ``most_overlap`` is out of range.
    """
    if not 0 <= most_overlap <= 1:
        raise BadInput(f"the most overlap is within [0, 1], got {most_overlap}.")
    wide = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    areas = np.clip(wide[:, 2:] - wide[:, :2], 0, None).prod(axis=1)
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    kept: list[int] = []
    while len(order) and (limit is None or len(kept) < limit):
        best, order = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(wide[order, :2], wide[best, :2])
        high = np.minimum(wide[order, 2:], wide[best, 2:])
        both = np.clip(high - low, 0, None).prod(axis=1)
        union = areas[order] + areas[best] - both
        # A box without area shares nothing with another, but all of itself with its double.
        shared = np.divide(both, union, out=np.zeros_like(both), where=union > 0) > most_overlap
        if groups is not None:
            shared &= groups[order] == groups[best]
        order = order[~shared]
    return np.array(kept, dtype=np.int64)
