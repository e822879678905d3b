"""The perceptual hash: which low frequencies are strong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .hashes import Grey, Hashing

__all__ = ["CosineHash", "phash"]


@dataclass(frozen=True, slots=True)
class CosineHash:
    """One bit for each of the lowest frequencies of a cosine transform: is it over their median?

    Source: Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2.1, in the
    form of Krawetz, "Looks Like It", hackerfactor.com 2011; equals imagehash's ``phash``. Deviation: what is over the
    median by less than ``margin`` counts as equal to it, so that rounding decides nothing in a flat picture.

    Attributes:
        side: the hash has side x side bits.
        factor: the transform is of side x factor pixels along each axis.
        margin: of coefficients that reach 2 x 255 x (side x factor)^2.
        version: changes when the formula does.
    """

    side: int = 8
    factor: int = 4
    margin: float = 1e-6
    version: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Return side x factor, twice."""
        return self.side * self.factor, self.side * self.factor

    def describe(self, grey: Grey) -> npt.NDArray[np.bool_]:
        """Return (B, side x side)."""
        waves = _waves(grey.shape[1], self.side)
        low = (waves @ grey.astype(np.float64) @ waves.T).reshape(len(grey), -1)
        return np.asarray(low > np.median(low, axis=1, keepdims=True) + self.margin)


def _waves(pixels: int, count: int) -> npt.NDArray[np.float64]:
    """Return (count, pixels): the first rows of the type II cosine transform, unnormalised as in FFTPACK."""
    return np.asarray(2 * np.cos(np.pi * np.arange(count)[:, None] * (2 * np.arange(pixels) + 1) / (2 * pixels)))


def phash() -> Hashing:
    """Return 64 bits: which low frequencies are strong."""
    return Hashing("phash", CosineHash())
