"""How coarse, how fine and in which directions a picture is: its Fourier spectrum in rings and sectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .canvas import CONTENT_SIDE, Views
from .embedder import Handcrafted, alone
from .normalise import centred

__all__ = ["Fourier", "fourier"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fourier:
    """The mean and the spread of the logarithmic spectrum in each ring and sector, of the picture at 64 pixels.

    Amplitudes are multiplied by their frequency first, which evens the spectrum of a typical photograph (Field,
    "Relations between the statistics of natural images and the response properties of cortical cells", JOSA A 1987);
    so a row tells how a picture differs from one. Source of rings and sectors: Weszka, Dyer, Rosenfeld, "A Comparative
    Study of Texture Measures for Terrain Classification", IEEE SMC 1976.

    Attributes:
        rings: each an equal part of the logarithm of frequency, from 1 cycle a picture to 32.
        sectors: of the half circle, the first around changes along x.
        typical: mean and spread of a photograph in a cell; what a row is centred at.
        version: changes when the formula does.
    """

    rings: int = 6
    sectors: int = 6
    typical: tuple[float, float] = (5.0, 0.47)
    version: int = 1

    @property
    def dim(self) -> int:
        """Return rings x sectors x 2, less the cells that no frequency falls into."""
        return 2 * len(_cells(self.rings, self.sectors))

    def describe(self, views: Views) -> Floats:
        """Return (B, dim), rows of unit norm."""
        shade = np.hanning(CONTENT_SIDE + 2)[1:-1].astype(np.float32)  # opposite edges of a picture do not meet
        grey = views.grey - views.grey.mean(axis=(1, 2), keepdims=True)
        amplitude = np.abs(np.fft.rfft2(grey * shade[:, None] * shade)) / CONTENT_SIDE
        level = np.log1p(amplitude * _frequency()[0]).reshape(len(grey), -1).astype(np.float32)
        weights = _cells(self.rings, self.sectors)
        mean = level @ weights.T
        spread = np.sqrt(np.maximum(level**2 @ weights.T - mean**2, 0))
        return centred(mean, spread, self.typical)


def _frequency() -> tuple[Floats, Floats]:
    """Return cycles a picture and direction, each (side, side / 2 + 1), in the order of ``rfft2``."""
    down, right = np.fft.fftfreq(CONTENT_SIDE, 1 / CONTENT_SIDE)[:, None], np.arange(CONTENT_SIDE // 2 + 1)
    return np.hypot(down, right).astype(np.float32), np.arctan2(down, right).astype(np.float32)


@lru_cache(maxsize=4)
def _cells(rings: int, sectors: int) -> Floats:
    """Return (cells, frequencies): what takes the mean over each cell that has a frequency at all."""
    radius, angle = _frequency()
    inside = (radius >= 1) & (radius < CONTENT_SIDE / 2)
    ring = (np.log(np.maximum(radius, 1)) / np.log(CONTENT_SIDE / 2) * rings).astype(np.int64)
    sector = np.floor(angle / np.pi * sectors + 0.5).astype(np.int64) % sectors
    cell = np.where(inside, ring * sectors + sector, -1).ravel()
    member = (cell == np.arange(rings * sectors)[:, None]).astype(np.float32)
    member = member[member.any(axis=1)]
    return np.asarray(member / member.sum(axis=1, keepdims=True))


def fourier() -> Handcrafted:
    """Return how coarse, how fine and in which directions a picture is."""
    return alone("fourier", Fourier())
