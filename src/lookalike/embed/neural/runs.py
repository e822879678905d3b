"""Cuts a batch into the runs of a network: one after another on all cores, or one on each core."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Runs"]


class Runs:
    """How the images of a batch are given to a network.

    Args:
        fixed: the batch that the graph takes; None where it leaves it open.
        share: the most images of one run, where every core has a run of its own; None: a run has the whole batch and
            all cores. 1 keeps every image alone, even where the graph's batch must then be filled with copies.
    """

    def __init__(self, fixed: int | None, share: int | None = None) -> None:
        self._fixed = fixed
        self._share = share
        self._cores = os.cpu_count() or 1
        self._pool = None if share is None else ThreadPoolExecutor(self._cores)

    def rows(
        self, run: Callable[[Sequence[npt.NDArray[Any]]], npt.NDArray[Any]], prepared: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Return the (B, D) rows that ``run`` gives for the images, of which there is at least one."""
        size = self._size(len(prepared))
        parts = [list(prepared[start : start + size]) for start in range(0, len(prepared), size)]
        filled = [part + part[-1:] * ((self._fixed or len(part)) - len(part)) for part in parts]
        done = list((self._pool.map if self._pool and len(parts) > 1 else map)(run, filled))
        return np.concatenate([rows[: len(part)] for rows, part in zip(done, parts, strict=True)])

    def _size(self, count: int) -> int:
        if self._share == 1:
            return 1
        if self._fixed:
            return self._fixed
        return count if self._share is None else min(self._share, -(-count // self._cores))
