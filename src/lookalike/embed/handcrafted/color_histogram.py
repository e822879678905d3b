"""Which colours a picture has, and how much of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

from .canvas import Views
from .lab import to_lab
from .normalise import powered

__all__ = ["ColorHistogram"]


@dataclass(frozen=True, slots=True)
class ColorHistogram:
    """A histogram of the whole picture's pixels over L*a*b*, square-rooted.

    Source: Swain, Ballard, "Color Indexing", IJCV 1991; square root as in ``powered``. Deviations: L*a*b*, and soft
    edges between the bins, since with hard ones the noise of another JPEG decoder moved vectors by cosine 0.998.

    Attributes:
        lightness, chroma: bins of L*, and of a* and b* each.
        reach: a* and b* beyond +- this go to the outermost bins.
        softness: the part of a bin's width in which a pixel is shared with the next bin; the rest counts whole.
        version: changes when the formula does.
    """

    lightness: int = 5
    chroma: int = 9
    reach: float = 60.0
    softness: float = 1 / 3
    version: int = 1

    @property
    def dim(self) -> int:
        """Return the number of bins that a colour of sRGB can reach."""
        return len(_reachable(self))

    def describe(self, views: Views) -> npt.NDArray[np.float32]:
        """Return (B, dim) unit rows."""
        return powered(self.counts(views.half)[:, _reachable(self)], 0.5)

    def counts(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (B, all bins): how many pixels of (B, H, W, 3) each bin of the full grid holds.

        Bin (l, a, b) is at (l * chroma + a) * chroma + b.
        """
        bins = self.lightness * self.chroma**2
        lab = to_lab(pixels).reshape(-1, 3)
        axes = (
            self._share(lab[:, 0], 0, 100, self.lightness),
            self._share(lab[:, 1], -self.reach, self.reach, self.chroma),
            self._share(lab[:, 2], -self.reach, self.reach, self.chroma),
        )
        first = np.repeat(np.arange(len(pixels)) * bins, len(lab) // max(len(pixels), 1))
        total = np.zeros(len(pixels) * bins)
        for upper in product((0, 1), repeat=3):
            place, share = np.zeros(len(lab), np.int64), np.ones(len(lab), np.float32)
            for (low, part), up, size in zip(axes, upper, (self.lightness, self.chroma, self.chroma), strict=True):
                place = place * size + low + up
                share = share * (part if up else 1 - part)
            some = share > 0  # most pixels lie well inside one bin
            total += np.bincount(first[some] + place[some], share[some], len(total))
        return total.reshape(len(pixels), bins).astype(np.float32)

    def _share(
        self, values: npt.NDArray[np.float32], low: float, high: float, bins: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return the lower of the two bins of each value, and the part of it that goes to the upper one."""
        at = np.clip((values - low) * (bins / (high - low)) - 0.5, 0, bins - 1)
        lower = np.minimum(at.astype(np.int64), bins - 2)
        return lower, np.clip((at - lower - 0.5) / self.softness + 0.5, 0, 1).astype(np.float32)


@cache
def _reachable(histogram: ColorHistogram) -> npt.NDArray[np.int64]:
    """Return the bins of the grid that some sRGB colour falls into; the others would always be 0."""
    steps = np.linspace(0, 255, 52, dtype=np.float32)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, 52, -1, 3)
    return np.flatnonzero(histogram.counts(cube)[0] > 0)
