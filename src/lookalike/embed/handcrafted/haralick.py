"""Which textures a picture has: statistics of neighbouring grey levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .canvas import Views
from .embedder import Handcrafted, alone

__all__ = ["Haralick", "cooccurrence", "haralick", "properties"]

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))  # (down, right)


@dataclass(frozen=True, slots=True)
class Haralick:
    """Six statistics of co-occurring grey levels: their mean and range over four directions, at each distance.

    Contrast, dissimilarity, homogeneity, energy, correlation and entropy; each minus its mean over photographs and
    divided by its deviation there, since they have different units.

    Source: Haralick, Shanmugam, Dinstein, "Textural Features for Image Classification", IEEE SMC 1973, with the mean
    and range that it proposes. Deviations: six of its statistics; the picture at 64 pixels.

    Attributes:
        levels: of grey.
        distances: pixels.
        centre, scale: of each statistic: first the six means, then the six ranges.
        version: changes when the formula does.
    """

    levels: int = 16
    distances: tuple[int, ...] = (1, 2)
    centre: tuple[float, ...] = (4.9, 1.5, 0.52, 0.15, 0.73, 4.3, 2.7, 0.51, 0.11, 0.022, 0.14, 0.26)
    scale: tuple[float, ...] = (2.4, 0.45, 0.098, 0.039, 0.14, 0.34, 1.4, 0.19, 0.036, 0.009, 0.069, 0.095)
    version: int = 1

    @property
    def dim(self) -> int:
        """Return 12 x distances."""
        return 12 * len(self.distances)

    def describe(self, views: Views) -> Floats:
        """Return (B, dim), rows of unit norm."""
        level = (views.grey * (self.levels / 256)).astype(np.uint8)
        rows = np.concatenate([self.statistics(level, distance) for distance in self.distances], axis=1)
        rows = (rows - np.tile(self.centre, len(self.distances))) / np.tile(self.scale, len(self.distances))
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    def statistics(self, level: npt.NDArray[np.uint8], distance: int) -> Doubles:
        """Return (B, 12): the means and ranges over the directions of (B, H, W) grey levels."""
        each = np.stack(
            [
                properties(cooccurrence(level, (distance * down, distance * right), self.levels))
                for down, right in _DIRECTIONS
            ]
        )
        return np.concatenate([each.mean(axis=0), np.ptp(each, axis=0)], axis=1)


def cooccurrence(level: npt.NDArray[np.uint8], offset: tuple[int, int], levels: int) -> Doubles:
    """Return (B, levels, levels): how often two levels meet at (down, right), either way round; each sums to 1."""
    down, right = offset
    count, height, width = level.shape
    here = level[:, : height - down, max(0, -right) : width - max(0, right)]
    there = level[:, down:, max(0, right) : width - max(0, -right)]
    first = np.arange(count)[:, None, None] * levels**2
    code = (first + here.astype(np.int64) * levels + there).ravel()
    table = np.bincount(code, minlength=count * levels**2).reshape(count, levels, levels)
    both = table + table.transpose(0, 2, 1)
    return np.asarray(both / both.sum(axis=(1, 2), keepdims=True))


def properties(table: Doubles) -> Doubles:
    """Return (B, 6): contrast, dissimilarity, homogeneity, energy, correlation and entropy (nats).

    The correlation of a picture of one level is 1.
    """
    i, j = np.indices(table.shape[1:])
    apart = np.abs(i - j)
    mean = (table * i).sum(axis=(1, 2))
    variance = (table * i**2).sum(axis=(1, 2)) - mean**2  # of i as of j: the table is symmetric
    shared = (table * i * j).sum(axis=(1, 2)) - mean**2
    varied = variance > 1e-12
    return np.stack(
        [
            (table * apart**2).sum(axis=(1, 2)),
            (table * apart).sum(axis=(1, 2)),
            (table / (1 + apart**2)).sum(axis=(1, 2)),
            np.sqrt((table**2).sum(axis=(1, 2))),
            np.divide(shared, variance, out=np.ones(len(table)), where=varied),
            -(table * np.log(np.where(table > 0, table, 1))).sum(axis=(1, 2)),
        ],
        axis=1,
    )


def haralick() -> Handcrafted:
    """Return textures by how neighbouring grey levels occur together."""
    return alone("haralick", Haralick())
