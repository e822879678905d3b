"""Where a photograph stands out from itself: the spectral residual.

Source: Hou, Zhang, "Saliency Detection: A Spectral Residual Approach", CVPR 2007, section 3: the log amplitude of the
spectrum less its local mean keeps what is unexpected; with the phase it is turned back into a map and smoothed.
Deviations: the shorter side is reduced with the longer one to a square of 64, and instead of proto-objects above three
times the mean, one box is given that holds the mass above that threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..types import Image, Region
from .box import rescaled
from .mass import box_of_mass

__all__ = ["Saliency", "saliency_map"]

SIDE = 64  # pixels, as in the paper: larger maps find textures, smaller ones nothing
SIGMA = 2.5  # pixels of the smoothing, as in the authors' code
THRESHOLD = 2.0  # times the mean; the paper's 3 leaves parts of a subject out that an embedding wants
TAIL = 0.02
MARGIN = 0.05


class Saliency:
    """One box around what stands out; none in a picture of one colour."""

    name = "saliency"
    spec = "saliency"
    fingerprint = f"saliency/1/{SIDE},{SIGMA},{THRESHOLD},{TAIL},{MARGIN}"

    def detect(self, image: Image) -> Sequence[Region]:
        """Return the box of the salient mass; its score is the share of all saliency inside."""
        saliency = saliency_map(image)
        if saliency is None:
            return []
        strong = np.clip(saliency - THRESHOLD * saliency.mean(), 0, None)
        if not strong.any():
            return []
        box = box_of_mass(strong, tail=TAIL, margin=MARGIN)
        inside = saliency[
            int(box[1] * SIDE) : int(np.ceil(box[3] * SIDE)), int(box[0] * SIDE) : int(np.ceil(box[2] * SIDE))
        ]
        height, width = image.shape[:2]
        return [rescaled(box, width, height, float(inside.sum() / saliency.sum()))]


def saliency_map(image: Image) -> npt.NDArray[np.float64] | None:
    """Return (64, 64) of saliency, not negative, over the whole picture; None where it is of one colour."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(image)).convert("L")
    # From 8 bits to floats first: rounding to whole grey levels would be amplified by the logarithm.
    small = np.asarray(picture.convert("F").resize((SIDE, SIDE), Pillow.Resampling.BOX), np.float64)
    if float(small.max() - small.min()) < 1.0:
        return None
    spectrum = np.fft.fft2(small)
    amplitude = np.abs(spectrum)
    log = np.log(amplitude + 1e-3 * amplitude.mean())
    around = sum(np.roll(log, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)) / 9
    back = np.abs(np.fft.ifft2(np.exp(log - around + 1j * np.angle(spectrum)))) ** 2
    smooth: npt.NDArray[np.float64] = _blur(_blur(back).T).T
    return smooth


def _blur(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    reach = int(3 * SIGMA)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SIGMA) ** 2)
    kernel /= kernel.sum()
    wide = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(wide, len(kernel), axis=0)
    blurred: npt.NDArray[np.float64] = windows @ kernel
    return blurred
