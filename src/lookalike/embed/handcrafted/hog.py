"""Where edges run in which direction: histograms of oriented gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .canvas import CONTENT_SIDE, Views, pool
from .normalise import powered

__all__ = ["Hog", "gradients", "oriented"]


@dataclass(frozen=True, slots=True)
class Hog:
    """Histograms of gradient directions on a grid over the content of the picture.

    Source: Dalal, Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005. Deviations: far larger
    cells that overlap by half (triangles in place of boxes), the signed root of each component in place of clipping,
    and, with ``local``, one normalisation by the 3 x 3 neighbourhood, as in Felzenszwalb et al., TPAMI 2010, in place
    of four. Directions are unsigned, so that a drawing in white on black equals one in black on white.

    Attributes:
        side: pixels of the content; 64 or a divisor.
        cells: cells along each axis.
        bins: directions in [0, pi).
        local: divide each cell by the strength of its neighbourhood; even out strong and weak outlines.
        power: exponent of each component.
        floor: grey levels; a picture whose edges are weaker than this counts less, so that noise is no outline.
        version: changes when the formula does.
    """

    side: int
    cells: int
    bins: int
    local: bool
    power: float = 0.7
    floor: float = 0.5
    version: int = 1

    @property
    def dim(self) -> int:
        """Return cells x cells x bins."""
        return self.cells**2 * self.bins

    def describe(self, views: Views) -> npt.NDArray[np.float32]:
        """Return (B, dim), rows of unit norm, shorter where there are no edges."""
        pixels = pool(views.content, CONTENT_SIDE // self.side)
        cells = _by_cell(oriented(*gradients(pixels), self.bins), self.cells)
        strength = np.sqrt((cells**2).sum(axis=(1, 2, 3)))
        if self.local:
            cells = cells / _neighbourhood(cells)[..., None]
        rows = powered(cells.reshape(len(cells), -1), self.power)
        return np.asarray(rows * np.minimum(strength / self.floor, 1)[:, None])


def gradients(pixels: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the horizontal and vertical differences (B, H, W) of the channel that changes most: v[x+1] - v[x-1]."""
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    power = across**2 + down**2
    red, green, blue = power[..., 0], power[..., 1], power[..., 2]
    # As argmax over the channels, the first of equals too, which is several times slower over an axis of 3.
    first = (red >= green) & (red >= blue)
    second = green >= blue
    return (
        np.where(first, across[..., 0], np.where(second, across[..., 1], across[..., 2])),
        np.where(first, down[..., 0], np.where(second, down[..., 1], down[..., 2])),
    )


def oriented(across: npt.NDArray[np.float32], down: npt.NDArray[np.float32], bins: int) -> npt.NDArray[np.float32]:
    """Share the magnitude of each gradient between the two nearest of ``bins`` directions: (B, H, W, bins).

    Bin 0 is at angle 0, a gradient along x; bin i at i * pi / bins.
    """
    position = (np.arctan2(down, across) % np.pi) * (bins / np.pi)
    magnitude = np.hypot(across, down)
    planes = np.empty((*across.shape, bins), np.float32)
    for number in range(bins):
        distance = np.abs(position - number)
        np.multiply(magnitude, np.maximum(0, 1 - np.minimum(distance, bins - distance)), out=planes[..., number])
    return planes


def _by_cell(planes: npt.NDArray[np.float32], cells: int) -> npt.NDArray[np.float32]:
    """Return the mean of each overlapping cell: (B, H, W, bins) -> (B, cells, cells, bins)."""
    count, side, _, bins = planes.shape
    at = (np.arange(side) + 0.5) * cells / side - 0.5
    weights = np.maximum(0, 1 - np.abs(at - np.arange(cells)[:, None])).astype(np.float32) * (cells / side)
    rows = (weights @ planes.reshape(count, side, side * bins)).reshape(count, cells, side, bins)
    return np.asarray(weights @ rows)


def _neighbourhood(cells: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (B, cells, cells): the strength of the 3 x 3 cells around, plus a tenth of the picture's."""
    energy = np.pad((cells**2).sum(axis=3), ((0, 0), (1, 1), (1, 1)), mode="edge")
    size = cells.shape[1]
    around = sum((energy[:, i : i + size, j : j + size] for i in range(3) for j in range(3)), np.float32(0))
    return np.asarray(np.sqrt(around + 0.1 * np.mean(around, axis=(1, 2), keepdims=True) + 1e-6), np.float32)
