"""The shape of a scene: where there is structure of which size and direction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .canvas import CONTENT_SIDE, Views, pool
from .embedder import Handcrafted, alone
from .gabor import mirrored, responses

__all__ = ["Gist", "gist", "prefiltered"]

Floats = npt.NDArray[np.float32]

_NOISE = 1e-4  # responses below it are rounding: a flat picture has none


@dataclass(frozen=True, slots=True)
class Gist:
    """The strength of each Gabor filter's response in the cells of a coarse grid.

    Source: Oliva, Torralba, "Modeling the Shape of the Scene: A Holistic Representation of the Spatial Envelope", IJCV
    2001, with the filters and the whitening of their LMgist. Deviations: the picture at 64 pixels, mirrored by 8 of
    them at its edges.

    Attributes:
        cells: along each axis.
        scales, orientations: of the filters.
        version: changes when the formula does.
    """

    cells: int = 4
    scales: int = 4
    orientations: int = 8
    version: int = 1

    @property
    def dim(self) -> int:
        """Return scales x orientations x cells x cells."""
        return self.scales * self.orientations * self.cells**2

    def describe(self, views: Views) -> Floats:
        """Return (B, dim), rows of unit norm; zeros for a flat picture."""
        grey = prefiltered(mirrored(views.grey))
        step = CONTENT_SIDE // self.cells
        maps = [pool(part[..., None], step)[..., 0] for part in responses(grey, self.scales, self.orientations)]
        rows = np.maximum(np.stack(maps, axis=1).reshape(len(grey), -1) - _NOISE, 0)
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(norm > 0, norm, 1), np.float32)


def prefiltered(grey: Floats) -> Floats:
    """Return (B, H, W) without slow changes of brightness and with even local contrast; ``prefilt`` of LMgist."""
    light = np.log1p(grey)
    smooth = _blur(grey.shape[1])
    fine = light - np.fft.ifft2(np.fft.fft2(light) * smooth).real
    spread = np.sqrt(np.abs(np.fft.ifft2(np.fft.fft2(fine**2) * smooth)))
    return np.asarray(fine / (0.2 + spread), np.float32)


@lru_cache(maxsize=4)
def _blur(side: int) -> Floats:
    """Return (side, side) by frequency: a Gaussian that is one half at 4 cycles a picture."""
    frequency = np.fft.fftfreq(side, 1 / side)
    return np.exp2(-(frequency[:, None] ** 2 + frequency**2) / 16).astype(np.float32)


def gist() -> Handcrafted:
    """Return the layout of a scene: structure by size, direction and place."""
    return alone("gist", Gist())
