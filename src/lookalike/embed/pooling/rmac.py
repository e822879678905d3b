"""Regional maximum activations of convolutions (R-MAC)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import BadShape
from ...types import Vectors
from ..whitening import Whitening
from .arrays import as_map, l2

__all__ = ["RMAC", "regions"]

_OVERLAP = Fraction(2, 5)  # wanted of neighbouring regions of the largest scale
_STEPS = range(2, 8)  # how many of those the longer side may have


def regions(height: int, width: int, levels: int) -> Iterator[tuple[int, int, int]]:
    """Yield (top, left, side) of R-MAC's square regions, in positions of the feature map, the largest first.

    At level l there are l along the shorter side and l + m - 1 along the longer one, of side 2 min(H, W) / (l + 1);
    m is what brings the overlap of the largest regions closest to 40% (the lower one of two that are equally close).
    Levels too fine for the map, with regions under one position, are left out.
    """
    short, long = min(height, width), max(height, width)
    more = 0  # m - 1
    if long > short:
        more = min(_STEPS, key=lambda n: abs(1 - Fraction(long - short, short * (n - 1)) - _OVERLAP)) - 1
    for level in range(1, levels + 1):
        side = 2 * short // (level + 1)
        if side:
            for top in _starts(height, side, level + (more if height > width else 0)):
                for left in _starts(width, side, level + (more if width > height else 0)):
                    yield top, left, side


def _starts(length: int, side: int, count: int) -> list[int]:
    return [i * (length - side) // max(count - 1, 1) for i in range(count)]


@dataclass(frozen=True, kw_only=True, eq=False)
class RMAC:
    """The sum of the unit maximum vectors of square regions at several scales, scaled to unit norm.

    Unlike max pooling of the whole map, it says twice what is there twice, and lets small things in.

    Args:
        levels: how many scales of regions ("L in the paper"), at least 1.
        whole: also count the whole map as a region, as the authors' later code does (cirtorch ``rmac``).
        whitening: applied to each region's unit vector before the sum; None leaves it out.

    Source: Tolias, Sicre, Jegou, "Particular object retrieval with integral max-pooling of CNN activations", ICLR 2016,
    section 3.2. Starts of regions and ties of m are exact where cirtorch rounds floats: with ``whole`` the two agree on
    all maps of 1 to 24 positions a side but 3 x 11 and 6 x 22 and their like, where two m are equally close.
    """

    takes: ClassVar = "map"

    levels: int = 3
    whole: bool = False
    whitening: Whitening | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.levels, int) or self.levels < 1:
            raise BadShape(f"levels should be a whole number of at least 1, got {self.levels!r}.")

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, D) float32 rows of unit norm (zeros for a map of zeros) of (B, C, H, W).

        Raises:
            BadShape: not a feature map, one without positions, or of another number of channels than the whitening.
        """
        maps = as_map(features)
        batch, channels, height, width = maps.shape
        dim = channels if self.whitening is None else self.whitening.dim
        total = np.zeros((batch, dim))
        if self.whole:
            total += self._unit(maps)
        for top, left, side in regions(height, width, self.levels):
            total += self._unit(maps[:, :, top : top + side, left : left + side])
        return np.asarray(l2(total), np.float32)

    def _unit(self, part: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        rows = l2(part.max(axis=(2, 3)))
        return rows if self.whitening is None else l2(self.whitening.project(rows))
