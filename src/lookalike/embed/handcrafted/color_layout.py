"""Which colour is where, roughly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .canvas import CONTENT_SIDE, Views, pool
from .lab import to_lab
from .normalise import powered

__all__ = ["ColorLayout"]


@dataclass(frozen=True, slots=True)
class ColorLayout:
    """Mean colours of a coarse grid over the content, in L*a*b*, with the mean lightness taken away.

    Source: the colour layout descriptor of MPEG-7 (Kasutani, Yamada, ICIP 2001), without its cosine transform, which
    would not change a dot product.

    Attributes:
        cells: cells along each axis; a divisor of 16.
        floor: of L*a*b*; a picture with less contrast and colour than this counts less.
        version: changes when the formula does.
    """

    cells: int = 4
    floor: float = 1.0
    version: int = 1

    @property
    def dim(self) -> int:
        """Return cells x cells x 3."""
        return self.cells**2 * 3

    def describe(self, views: Views) -> npt.NDArray[np.float32]:
        """Return (B, dim), rows of unit norm, shorter where the picture is an even grey."""
        small = to_lab(pool(views.content, CONTENT_SIDE // 16))
        grid = pool(small, 16 // self.cells)
        grid[..., 0] -= grid[..., 0].mean(axis=(1, 2), keepdims=True)
        rows = grid.reshape(len(grid), -1)
        strength = np.sqrt((rows**2).mean(axis=1))
        return np.asarray(powered(rows, 1.0) * np.minimum(strength / self.floor, 1)[:, None])
