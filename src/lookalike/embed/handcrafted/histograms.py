"""Which colours a picture has, in the spaces that others count them in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from .canvas import Views
from .embedder import Handcrafted, alone
from .normalise import powered
from .soft_bins import Axis, count

__all__ = ["SoftHistogram", "brightness", "hsv", "opponent", "rgb", "to_hsv", "to_opponent"]

Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SoftHistogram:
    """A histogram of the whole picture's pixels, square-rooted.

    Source: Swain, Ballard, "Color Indexing", IJCV 1991; the opponent space as in van de Sande, Gevers, Snoek,
    "Evaluating Color Descriptors for Object and Scene Recognition", TPAMI 2010, eq. 3. Deviations: soft edges between
    the bins, as in ``ColorHistogram``; in HSV, all pixels of the darkest bins of V share one bin, and those of the
    palest bins of S have no hue, for the hue of grey and the saturation of black are noise.

    Attributes:
        space: of the colours.
        bins: along each axis of it.
        softness: the part of a bin's width in which a pixel is shared with the next bin; the rest counts whole.
        version: changes when the formula does.
    """

    space: Literal["rgb", "hsv", "opponent", "brightness"]
    bins: tuple[int, ...]
    softness: float = 1 / 3
    version: int = 1

    @property
    def dim(self) -> int:
        """Return the number of bins that a colour of sRGB can reach."""
        return len(_reachable(self))

    def describe(self, views: Views) -> Floats:
        """Return (B, dim) unit rows."""
        values = views.grey[..., None] if self.space == "brightness" else views.half
        return powered(self._folded(self.counts(values))[:, _reachable(self)], 0.5)

    def counts(self, pixels: Floats) -> Floats:
        """Return (B, all bins): how many of (B, H, W, 3) sRGB pixels, or (B, H, W, 1) grey ones, each bin holds."""
        ranges = zip(_RANGES[self.space], self.bins, strict=True)
        axes = [
            Axis(low, high, bins, closed=self.space == "hsv" and at == 0)
            for at, ((low, high), bins) in enumerate(ranges)
        ]
        return count(_CONVERT[self.space](pixels), axes, self.softness)

    def _folded(self, counts: Floats) -> Floats:
        """Return the histogram with its meaningless bins put together."""
        if self.space != "hsv":
            return counts
        grid = counts.reshape(-1, *self.bins)  # (B, H, S, V)
        black = grid[..., 0].sum(axis=(1, 2))[:, None]
        grey = grid[:, :, 0, 1:].sum(axis=1)
        return np.concatenate([black, grey, grid[:, :, 1:, 1:].reshape(len(grid), -1)], axis=1)


def to_hsv(pixels: Floats) -> Floats:
    """Return (..., 3) hue, saturation and value, each 0..1, of (..., 3) sRGB 0..255; the hue of grey is 0."""
    r, g, b = np.moveaxis(pixels, -1, 0)
    value, spread = pixels.max(axis=-1), np.ptp(pixels, axis=-1)
    safe = np.where(spread > 0, spread, 1)
    hue = np.select([value == r, value == g], [(g - b) / safe % 6, (b - r) / safe + 2], (r - g) / safe + 4)
    saturation = spread / np.where(value > 0, value, 1)
    return np.stack([np.where(spread > 0, hue / 6, 0), saturation, value / 255], axis=-1).astype(np.float32)


def to_opponent(pixels: Floats) -> Floats:
    """Return (..., 3) red-green, yellow-blue and intensity of (..., 3) sRGB 0..255."""
    r, g, b = np.moveaxis(pixels, -1, 0)
    return np.stack([(r - g) / np.sqrt(2), (r + g - 2 * b) / np.sqrt(6), (r + g + b) / np.sqrt(3)], axis=-1).astype(
        np.float32
    )


_CONVERT: dict[str, Callable[[Floats], Floats]] = {
    "rgb": lambda pixels: pixels,
    "hsv": to_hsv,
    "opponent": to_opponent,
    "brightness": lambda pixels: pixels,
}
_RANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "rgb": ((0, 255),) * 3,
    "hsv": ((0, 1),) * 3,
    "opponent": ((-180.3, 180.3), (-208.2, 208.2), (0, 441.7)),  # 255 / sqrt 2, 510 / sqrt 6, 765 / sqrt 3
    "brightness": ((0, 255),),
}


@cache
def _reachable(histogram: SoftHistogram) -> npt.NDArray[np.int64]:
    """Return the bins that some sRGB colour falls into; the others would always be 0."""
    steps = np.linspace(0, 255, 52, dtype=np.float32)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, 52, -1, 3)
    if histogram.space == "brightness":
        cube = cube[..., :1]
    return np.flatnonzero(histogram._folded(histogram.counts(cube))[0] > 0)


def rgb() -> Handcrafted:
    """Return how much there is of each colour of a 6 x 6 x 6 grid of RGB."""
    return alone("histogram-rgb", SoftHistogram("rgb", (6, 6, 6)))


def hsv() -> Handcrafted:
    """Return how much there is of each hue, saturation and value."""
    return alone("histogram-hsv", SoftHistogram("hsv", (12, 4, 4)))


def opponent() -> Handcrafted:
    """Return how much there is of each colour of the opponent space: red-green, yellow-blue, intensity."""
    return alone("histogram-opponent", SoftHistogram("opponent", (9, 9, 5)))


def brightness() -> Handcrafted:
    """Return how much there is of each brightness, without colour."""
    return alone("brightness-histogram", SoftHistogram("brightness", (32,)))
