"""The average hash: which places are brighter than the mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .hashes import Grey, Hashing

__all__ = ["AverageHash", "ahash"]


@dataclass(frozen=True, slots=True)
class AverageHash:
    """One bit a pixel of a tiny picture: is it brighter than their mean?

    Source: Krawetz, "Looks Like It", hackerfactor.com 2011; equals imagehash's ``average_hash``.

    Attributes:
        side: the hash has side x side bits.
        version: changes when the formula does.
    """

    side: int = 8
    version: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Return side, side."""
        return self.side, self.side

    def describe(self, grey: Grey) -> npt.NDArray[np.bool_]:
        """Return (B, side x side)."""
        pixels = grey.reshape(len(grey), -1).astype(np.int64)
        return np.asarray(pixels * self.side**2 > pixels.sum(axis=1, keepdims=True))  # whole numbers: no rounding


def ahash() -> Hashing:
    """Return 64 bits: which places are brighter than the mean."""
    return Hashing("ahash", AverageHash())
