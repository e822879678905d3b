"""The learning rate over a run: it rises in a line, then falls as half a cosine."""

from __future__ import annotations

import math

__all__ = ["share"]

FLOOR = 0.01  # of the highest rate, at the end


def share(step: int, total: int, *, warmup: float) -> float:
    """Return what the highest rate is multiplied by at a step from 0, in (0, 1].

    Source: Loshchilov and Hutter, "SGDR", ICLR 2017, eq. 5, one cycle, with a linear start.

    Example:
        >>> [round(share(step, 10, warmup=0.2), 2) for step in (0, 1, 2, 9)]
        [0.5, 1.0, 1.0, 0.05]
    """
    rising = max(1, round(total * warmup)) if warmup else 0
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, total - rising)
    return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
