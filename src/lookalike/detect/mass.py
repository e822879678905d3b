"""The box that holds most of a map's mass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["box_of_mass"]


def box_of_mass(weights: npt.NDArray[np.floating], *, tail: float, margin: float) -> tuple[float, float, float, float]:
    """Return x0, y0, x1, y1 as fractions of the map; within them lies all but ``tail`` of the mass on each side.

    Edges are interpolated within a cell, so that a little more noise moves them a little.

    Args:
        weights: (H, W), not negative, not all 0.
        tail: share of the mass beyond each edge, in [0, 0.5).
        margin: added on each side, as a share of the box's own side.
    """
    edges = []
    for axis in (0, 1):
        mass = weights.sum(axis=axis, dtype=np.float64)
        reached = np.concatenate([[0.0], np.cumsum(mass)]) / mass.sum()
        places = np.arange(len(reached)) / len(mass)
        # Of a run without mass the near end counts, so that a tail of 0 ends where the mass does.
        low = places[np.searchsorted(reached, tail, "right") - 1] if tail == 0 else np.interp(tail, reached, places)
        high = places[np.searchsorted(reached, 1 - 1e-12)] if tail == 0 else np.interp(1 - tail, reached, places)
        grow = margin * (high - low)
        edges.append((max(0.0, float(low - grow)), min(1.0, float(high + grow))))
    (x0, x1), (y0, y1) = edges
    return x0, y0, x1, y1
