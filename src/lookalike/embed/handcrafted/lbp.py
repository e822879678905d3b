"""Which fine textures a picture has: local binary patterns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from .canvas import Views
from .normalise import powered

__all__ = ["LocalPatterns"]

_AROUND = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))  # (row, column) in 3 x 3, clockwise
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class LocalPatterns:
    """A histogram of the uniform local binary patterns of the whole picture at 64 pixels, square-rooted.

    Each pixel has eight neighbours; a pattern says which of them are brighter by at least ``threshold``. The 58
    patterns with one run of brighter neighbours or none have a bin each, all others share the last.

    Source: Ojala, Pietikäinen, Mäenpää, "Multiresolution Gray-Scale and Rotation Invariant Texture Classification with
    Local Binary Patterns", TPAMI 2002, section 2.3 without rotation invariance. Deviation: the threshold, 0 there,
    which keeps the noise of plain areas out.

    Attributes:
        threshold: grey levels.
        version: changes when the formula does.
    """

    threshold: float = 3.0
    version: int = 1

    @property
    def dim(self) -> int:
        """Return 59."""
        return 59

    def describe(self, views: Views) -> npt.NDArray[np.float32]:
        """Return (B, 59) unit rows."""
        grey = views.half @ _LUMA
        height, width = grey.shape[1] - 2, grey.shape[2] - 2
        center = grey[:, 1:-1, 1:-1] + np.float32(self.threshold)
        code = np.zeros(center.shape, np.uint8)
        for bit, (i, j) in enumerate(_AROUND):
            code |= (grey[:, i : i + height, j : j + width] >= center).astype(np.uint8) << bit
        bins = _uniform()[code].reshape(len(grey), -1)
        counts = np.stack([np.bincount(row, minlength=59) for row in bins])
        return powered(counts.astype(np.float32), 0.5)


@cache
def _uniform() -> npt.NDArray[np.int64]:
    """Return the bin of each of the 256 patterns: its place among the uniform ones, in the order of codes, or 58."""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    return np.where(uniform, np.cumsum(uniform) - 1, 58)
