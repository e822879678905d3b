"""Which textures a picture has: the energies of a bank of Gabor filters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .canvas import Views
from .embedder import Handcrafted, alone
from .normalise import centred

__all__ = ["Gabor", "bank", "gabor", "responses"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Gabor:
    """The mean and the spread of each filter's response over the picture at 64 pixels, on a logarithmic scale.

    Source: Manjunath, Ma, "Texture Features for Browsing and Retrieval of Image Data", TPAMI 1996, section II.
    Deviations: the filters of ``bank``; the logarithm, minus what is common to photographs, which makes the angle
    between two vectors mean something.

    Attributes:
        scales, orientations: of the filters.
        typical: mean and spread of ln(1 + response) of photographs, in grey levels; what a row is centred at.
        version: changes when the formula does.
    """

    scales: int = 4
    orientations: int = 6
    typical: tuple[float, float] = (1.8, 1.5)
    version: int = 1

    @property
    def dim(self) -> int:
        """Return scales x orientations x 2."""
        return self.scales * self.orientations * 2

    def describe(self, views: Views) -> Floats:
        """Return (B, dim), rows of at most unit norm."""
        grey = mirrored(views.grey - views.grey.mean(axis=(1, 2), keepdims=True))
        each = [
            (np.log1p(part.mean(axis=(1, 2))), np.log1p(part.std(axis=(1, 2))))
            for part in responses(grey, self.scales, self.orientations)
        ]
        mean, spread = (np.stack(column, axis=1) for column in zip(*each, strict=True))
        return centred(mean, spread, self.typical)


MARGIN = 8  # pixels of mirror image around the picture, so that its opposite edges do not meet


def mirrored(grey: Floats) -> Floats:
    """Return (B, H + 16, W + 16): the picture continued as in a mirror."""
    return np.pad(grey, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)), mode="symmetric")


def responses(grey: Floats, scales: int, orientations: int) -> Iterator[Floats]:
    """Yield the strength (B, H, W) of each filter's response to a mirrored picture, without the margin.

    Finest scale first; within a scale by orientation, of which the first answers to changes along x.
    """
    spectrum = np.fft.fft2(grey)
    for one in bank(grey.shape[1], scales, orientations):
        yield np.abs(np.fft.ifft2(spectrum * one))[:, MARGIN:-MARGIN, MARGIN:-MARGIN]


@lru_cache(maxsize=4)
def bank(side: int, scales: int, orientations: int) -> Floats:
    """Return the filters (scales x orientations, side, side) by frequency, in the order of ``fft2``; peaks are 1.

    Source: ``createGabor`` of Oliva and Torralba's LMgist: Gaussians of the relative frequency and of the angle, 0.3
    cycles a pixel at the finest, each scale 1.85 times coarser. Only one half plane is passed, so a response is
    complex and its modulus is the local energy.
    """
    fy, fx = np.meshgrid(*(np.fft.fftfreq(side),) * 2, indexing="ij")
    radius, angle = np.hypot(fx, fy), np.arctan2(fy, fx)
    filters = []
    for scale in range(scales):
        nearness = (radius / (0.3 / 1.85**scale) - 1) ** 2
        for number in range(orientations):
            off = (angle - np.pi * number / orientations + np.pi) % (2 * np.pi) - np.pi
            filters.append(np.exp(-3.5 * nearness - np.pi * orientations**2 / 32 * off**2))
    found = np.array(filters, np.float32)
    found.setflags(write=False)
    return found


def gabor() -> Handcrafted:
    """Return the strength of textures by size and direction."""
    return alone("gabor", Gabor())
