"""Which pixels of a mask hang together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["components"]

Mask = npt.NDArray[np.bool_]


def components(mask: Mask) -> npt.NDArray[np.int64]:
    """Return (H, W) numbers of the connected pieces of a mask (H, W), from 1 in reading order; 0 where it is false.

    Pixels that touch at a side or a corner hang together. Runs of a row are joined with those of the row before by
    union-find, so the cost is that of the runs, not of the pixels.
    """
    height, width = mask.shape
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    row, first = np.nonzero(edges == 1)
    last = np.nonzero(edges == -1)[1] - 1  # of each run, inclusive; in the same order
    parent = list(range(len(row)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    starts = np.searchsorted(row, np.arange(height + 1)).tolist()
    left, right = first.tolist(), last.tolist()
    for y in range(1, height):
        above, end = starts[y - 1], starts[y]
        for run in range(end, starts[y + 1]):
            while above < end and right[above] < left[run] - 1:
                above += 1
            other = above
            while other < end and left[other] <= right[run] + 1:
                a, b = root(run), root(other)
                parent[max(a, b)] = min(a, b)
                other += 1
    roots = np.array([root(run) for run in range(len(row))], np.int64)
    numbers = np.searchsorted(np.unique(roots), roots) + 1
    out = np.zeros((height, width), np.int64)
    for y, x0, x1, number in zip(row.tolist(), left, right, numbers.tolist(), strict=True):
        out[y, x0 : x1 + 1] = number
    return out
