"""How alike a small grey picture is to every place of a larger one: the four scores of classical template matching.

The sums that all four need come from one Fourier transform of the image, made once, and from running totals; a window's
score then costs the same whatever the template's size. The formulas are those of OpenCV's ``matchTemplate``, turned so
that higher is more alike and scaled to the number of pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import BadShape

__all__ = ["TEMPLATE_METHODS", "Field", "Gray", "Sums"]

Gray = npt.NDArray[np.float64]  # (H, W) brightness in [0, 1]

# Variance a pixel below which a window counts as flat: a fifth of one step of 8-bit grey. Correlation with it says
# nothing, and rounding would say anything.
FLAT = (0.2 / 255) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What a template and the windows of an image add up to, over the template's pixels that count.

    Attributes:
        count: how many pixels count.
        total: the sum over the template, and ``squares`` the sum of its squares.
        cross: (H', W') sums of template times window; H' = H - h + 1, W' = W - w + 1.
        windows: (H', W') sums over the windows, and ``window_squares`` of their squares.
    """

    count: float
    total: float
    squares: float
    cross: Gray
    windows: Gray
    window_squares: Gray


class Field:
    """An image made ready to be compared with many templates.

    Args:
        image: (H, W) brightness in [0, 1].
    """

    def __init__(self, image: Gray) -> None:
        self.shape: tuple[int, int] = image.shape[0], image.shape[1]
        # Only windows that lie inside are looked at, so what wraps around beyond the image's end is never read.
        self._padded = _smooth(image.shape[0]), _smooth(image.shape[1])
        self._spectra = [np.fft.rfft2(values, self._padded) for values in (image, image**2)]
        self._totals = [np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0))) for values in (image, image**2)]

    def sums(self, template: Gray, mask: Gray | None = None) -> Sums:
        """Return the sums of one template.

        Args:
            template: (h, w) no larger than the image.
            mask: (h, w) of 0 and 1: the pixels that count; None: all.

        Raises:
            BadShape: the template is larger than the image, or the mask of another shape.
        """
        height, width = template.shape
        if height > self.shape[0] or width > self.shape[1] or not template.size:
            raise BadShape(f"a template of {template.shape} does not fit into an image of {self.shape}.")
        if mask is None:
            windows, squares = (self._boxes(totals, height, width) for totals in self._totals)
            count, shown = float(template.size), template
        else:
            if mask.shape != template.shape:
                raise BadShape(f"the mask is {mask.shape}, its template {template.shape}.")
            windows, squares = (self._correlate(spectrum, mask) for spectrum in self._spectra)
            count, shown = float(mask.sum()), template * mask
        cross = self._correlate(self._spectra[0], shown)
        return Sums(count, float(shown.sum()), float((shown**2).sum()), cross, windows, squares)

    def _correlate(self, spectrum: npt.NDArray[np.complex128], kernel: Gray) -> Gray:
        product = spectrum * np.conj(np.fft.rfft2(kernel, self._padded))
        full: Gray = np.fft.irfft2(product, self._padded)
        return full[: self.shape[0] - kernel.shape[0] + 1, : self.shape[1] - kernel.shape[1] + 1]

    @staticmethod
    def _boxes(totals: Gray, h: int, w: int) -> Gray:
        return totals[h:, w:] - totals[:-h, w:] - totals[h:, :-w] + totals[:-h, :-w]


def _smooth(size: int) -> int:
    """Return the least number >= ``size`` that has no prime factor above 5: transforms of such sizes are fast."""
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1


def ccorr(sums: Sums) -> Gray:
    """Return the mean product, in [0, 1]: plain correlation (TM_CCORR / pixels). Bright places score high by it."""
    return sums.cross / sums.count


def sqdiff(sums: Sums) -> Gray:
    """Return 1 - the mean squared difference, in [0, 1] (TM_SQDIFF, turned round); 1 is the very same pixels."""
    return 1 - _difference(sums) / sums.count


def ccoeff(sums: Sums) -> Gray:
    """Return the correlation coefficient, in [-1, 1] (TM_CCOEFF_NORMED); light and contrast do not matter.

    Where the template or the window is flat it is 0: it says nothing.
    """
    own = sums.squares - sums.total**2 / sums.count
    theirs = sums.window_squares - sums.windows**2 / sums.count
    told = (theirs > FLAT * sums.count) & (own > FLAT * sums.count)
    below = np.sqrt(np.where(told, own * theirs, 1.0))
    score: Gray = np.where(told, (sums.cross - sums.total * sums.windows / sums.count) / below, 0.0)
    return score.clip(-1, 1)


def sqdiff_normed(sums: Sums) -> Gray:
    """Return 1 - the squared difference over the norms of both, in [0, 1] (TM_SQDIFF_NORMED, turned round).

    A difference of more than the norms scores 0, as in OpenCV.
    """
    below = np.sqrt(sums.squares * sums.window_squares.clip(0, None))
    difference = _difference(sums)
    told = below > FLAT * sums.count
    ratio = np.where(told, difference / np.where(told, below, 1.0), difference > FLAT * sums.count)
    score: Gray = 1 - ratio.clip(0, 1)
    return score


def _difference(sums: Sums) -> Gray:
    difference: Gray = (sums.squares - 2 * sums.cross + sums.window_squares).clip(0, None)
    return difference


TEMPLATE_METHODS: Mapping[str, Callable[[Sums], Gray]] = {
    "ccoeff": ccoeff,
    "ccorr": ccorr,
    "sqdiff": sqdiff,
    "sqdiff-normed": sqdiff_normed,
}
