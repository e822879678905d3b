"""The wavelet hash: which parts of the coarsest Haar band are bright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .hashes import Grey, Hashing

__all__ = ["WaveletHash", "whash"]


@dataclass(frozen=True, slots=True)
class WaveletHash:
    """One bit for each value of the Haar wavelet's low band: is it over their median?

    Equals imagehash's ``whash`` with ``image_scale=64``, ties apart. Values of the low band are sums of blocks of
    pixels, and the removal of the lowest frequency that imagehash does takes the same from each, so that whole numbers
    say the same without rounding.

    Attributes:
        side: the hash has side x side bits.
        scale: pixels of the picture that is transformed, a power of 2.
        version: changes when the formula does.
    """

    side: int = 8
    scale: int = 64
    version: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Return scale, scale."""
        return self.scale, self.scale

    def describe(self, grey: Grey) -> npt.NDArray[np.bool_]:
        """Return (B, side x side)."""
        block = self.scale // self.side
        blocks = grey.reshape(len(grey), self.side, block, self.side, block)
        low = blocks.sum(axis=(2, 4), dtype=np.int64).reshape(len(grey), -1)
        return np.asarray(low > np.median(low, axis=1, keepdims=True))


def whash() -> Hashing:
    """Return 64 bits: which parts of the coarsest wavelet band are bright."""
    return Hashing("whash", WaveletHash())
