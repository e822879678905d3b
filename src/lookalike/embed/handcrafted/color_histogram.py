"""Which colours a picture has, and how much of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from .canvas import Views
from .lab import to_lab
from .normalise import powered
from .soft_bins import Axis, count

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
        chroma = Axis(-self.reach, self.reach, self.chroma)
        return count(to_lab(pixels), (Axis(0, 100, self.lightness), chroma, chroma), self.softness)


@cache
def _reachable(histogram: ColorHistogram) -> npt.NDArray[np.int64]:
    """Return the bins of the grid that some sRGB colour falls into; the others would always be 0."""
    steps = np.linspace(0, 255, 52, dtype=np.float32)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, 52, -1, 3)
    return np.flatnonzero(histogram.counts(cube)[0] > 0)
