"""Which colours lie together: the auto-correlogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .canvas import Views
from .embedder import Handcrafted, alone
from .normalise import powered

__all__ = ["Correlogram", "correlogram"]


@dataclass(frozen=True, slots=True)
class Correlogram:
    """For each colour and distance, how often a pixel and another at that distance both have the colour; square-rooted.

    Source: Huang, Kumar, Mitra, Zhu, Zabih, "Image Indexing Using Color Correlograms", CVPR 1997, the autocorrelogram
    of section 3 with the L-infinity distance and the distances of section 5. Deviations: at 64 pixels; the joint
    probability instead of the one given the first pixel's colour, so that colours of few pixels count little; square
    root as in ``powered``.

    Attributes:
        levels: of each of red, green and blue.
        distances: pixels.
        version: changes when the formula does.
    """

    levels: int = 4
    distances: tuple[int, ...] = (1, 3, 5, 7)
    version: int = 1

    @property
    def dim(self) -> int:
        """Return distances x colours."""
        return len(self.distances) * self.levels**3

    def describe(self, views: Views) -> npt.NDArray[np.float32]:
        """Return (B, dim) unit rows; zeros where no colour ever meets itself."""
        level = (views.half * (self.levels / 256)).astype(np.uint8)
        colour = (level[..., 0] * self.levels + level[..., 1]) * self.levels + level[..., 2]
        return powered(np.concatenate([self.joint(colour, distance) for distance in self.distances], axis=1), 0.5)

    def joint(self, colour: npt.NDArray[np.uint8], distance: int) -> npt.NDArray[np.float32]:
        """Return (B, colours): the part of all pixels' neighbours at the distance that are a pair of each colour.

        Args:
            colour: (B, H, W), numbers of colours.
            distance: along the longer of the two axes; neighbours outside of the picture never match.
        """
        count, height, width = colour.shape
        colours = self.levels**3
        matches = np.zeros(colour.shape, np.uint8)
        for down, right in _half_ring(distance):
            here = np.s_[:, : height - down, max(0, -right) : width - max(0, right)]
            there = np.s_[:, down:, max(0, right) : width - max(0, -right)]
            same = colour[here] == colour[there]
            matches[here] += same
            matches[there] += same
        first = np.arange(count)[:, None, None] * colours
        total = np.bincount((first + colour).ravel(), matches.ravel(), count * colours)
        return np.asarray(total.reshape(count, colours) / (8 * distance * height * width), np.float32)


def _half_ring(distance: int) -> list[tuple[int, int]]:
    """Return (down, right) of one of each two opposite neighbours; there are 8 x distance in all."""
    top = [(distance, right) for right in range(-distance, distance + 1)]
    sides = [(down, right) for down in range(1, distance) for right in (-distance, distance)]
    return [*top, *sides, (0, distance)]


def correlogram() -> Handcrafted:
    """Return which colours lie together, at four distances."""
    return alone("correlogram", Correlogram())
