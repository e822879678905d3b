"""Finds a small picture inside a larger one, at several sizes and small rotations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from ..detect.overlap import strongest
from ..errors import BadInput, UnknownName
from ..nearest_name import choices
from ..types import Image, Match, Region
from .correlation import TEMPLATE_METHODS, Field, Gray

__all__ = ["Template", "is_flat"]

LEAST = 8  # pixels a side: smaller templates match anything
STEP = 2**0.25  # between sizes: at half a step off, a photograph's correlation is still near its peak
DEGREES = 5.0  # between rotations, for the same reason
OVERLAP = 0.3  # two matches that share more than this are one


class Template:
    """What is looked for; thread-safe.

    It finds copies: in another size and light, a little turned. A thing seen in perspective or half hidden is found
    where it is, but its score is then no higher than what small templates reach by chance in other pictures, so a
    narrow range of sizes ranks better than a wide one.

    Args:
        image: (H, W, 3) uint8; compared in grey.
        method: ``ccoeff`` (light and contrast do not matter), ``ccorr``, ``sqdiff`` or ``sqdiff-normed``.
        scales: the smallest and the largest size, 1 being as large as in ``image``; in steps of a quarter octave.
        rotations: up to so many degrees either way, in steps of 5; within [0, 45].
        detail: images are reduced to this many pixels on their longer side before the search, which bounds its time
            and memory; a box is as exact as one such pixel.

    Raises:
        UnknownName: no such method. BadInput: a number out of range, or a template of one colour.
    """

    def __init__(
        self,
        image: Image,
        *,
        method: str = "ccoeff",
        scales: tuple[float, float] = (0.5, 2.0),
        rotations: float = 0.0,
        detail: int = 400,
    ) -> None:
        if method not in TEMPLATE_METHODS:
            raise UnknownName(
                f"unknown method of template matching {method!r}.", hint=choices(method, TEMPLATE_METHODS)
            )
        low, high = scales
        if not (math.isfinite(high) and 0.01 <= low <= high <= 100):
            raise BadInput(f"the sizes of a template go from 0.01 to 100, the smaller first, got {low:g},{high:g}.")
        if not 0 <= rotations <= 45:
            raise BadInput(f"a template is rotated by 0 to 45 degrees, got {rotations:g}.")
        if detail < 4 * LEAST:
            raise BadInput(f"the detail is at least {4 * LEAST} pixels, got {detail}.")
        self.method = method
        self.scales = _between(low, high)
        self.rotations = _either_way(rotations)
        self.detail = detail
        self._gray = gray(image)
        if is_flat(image):
            raise BadInput(
                "the template is of one brightness, so it would be found everywhere.",
                hint="Cut out a piece with an edge or a pattern in it.",
            )
        self._variant = lru_cache(maxsize=256)(self._make)

    def find(self, image: Image, *, limit: int = 1, original: tuple[int, int] | None = None) -> list[Match]:
        """Return the best places, best first; empty where the template is larger than the image at every size.

        Args:
            image: (H, W, 3) uint8.
            limit: how many places at most; they overlap by less than 30%.
            original: the (width, height) of the picture that ``image`` is a reduced copy of, which boxes and sizes
                then refer to; None: ``image`` itself.
        """
        height, width = image.shape[:2]
        full = original or (width, height)
        factor = min(1.0, self.detail / max(full))
        side = max(1, round(full[0] * factor)), max(1, round(full[1] * factor))
        field = Field(resized(gray(image), side))
        found = [
            match
            for scale in self.scales
            for rotation in self.rotations
            for match in self._at(field, scale, rotation, factor, limit, full)
        ]
        boxes = np.array([[m.region.x0, m.region.y0, m.region.x1, m.region.y1] for m in found], dtype=np.float64)
        kept = strongest(boxes, np.array([m.score for m in found]), most_overlap=OVERLAP, limit=limit)
        return [found[position] for position in kept]

    def _at(
        self, field: Field, scale: float, rotation: float, factor: float, limit: int, full: tuple[int, int]
    ) -> list[Match]:
        # Reduction in steps of a thousandth: images of nearly one size then share the resized templates.
        template, mask = self._variant(round(scale * factor, 3), rotation)
        height, width = template.shape
        if min(template.shape) < LEAST or height > field.shape[0] or width > field.shape[1]:
            return []
        scores = TEMPLATE_METHODS[self.method](field.sums(template, mask))
        ratio = full[0] / field.shape[1], full[1] / field.shape[0]
        matches = []
        for y, x, score in _peaks(scores, template.shape, limit):
            region = Region(
                round(x * ratio[0]),
                round(y * ratio[1]),
                min(full[0], max(round((x + width) * ratio[0]), round(x * ratio[0]) + 1)),
                min(full[1], max(round((y + height) * ratio[1]), round(y * ratio[1]) + 1)),
                min(1.0, max(0.0, score)),
            )
            matches.append(Match(region, score, scale, rotation))
        return matches

    def _make(self, scale: float, rotation: float) -> tuple[Gray, Gray | None]:
        height, width = self._gray.shape
        template = resized(self._gray, (max(1, round(width * scale)), max(1, round(height * scale))))
        if rotation == 0:
            return template, None
        return _rotated(template, rotation), (_rotated(np.ones_like(template), rotation) > 0.99).astype(np.float64)


def is_flat(image: Image) -> bool:
    """Say whether a picture is of one brightness: it would be found everywhere."""
    return float(gray(image).std()) < 1 / 255


def gray(image: Image) -> Gray:
    """Return (H, W) brightness in [0, 1] by the weights of ITU-R BT.601."""
    values: Gray = image @ np.array([0.299, 0.587, 0.114]) / 255
    return values


def resized(values: Gray, size: tuple[int, int]) -> Gray:
    """Return the picture at another (width, height); averages when it shrinks."""
    if values.shape == size[::-1]:
        return values
    picture = Pillow.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize(size, Pillow.Resampling.BILINEAR), dtype=np.float64)


def _rotated(values: Gray, degrees: float) -> Gray:
    picture = Pillow.fromarray(values.astype(np.float32))
    return np.asarray(picture.rotate(degrees, Pillow.Resampling.BILINEAR, expand=True), dtype=np.float64)


def _between(low: float, high: float) -> Sequence[float]:
    steps = math.ceil(math.log(high / low, STEP) - 1e-9)
    if not steps:
        return [low]
    sizes = [low * (high / low) ** (step / steps) for step in range(steps + 1)]
    if low < 1 < high:  # a copy at its own size is what is looked for most often: no step may miss it by a little
        sizes[min(range(1, steps), key=lambda step: abs(math.log(sizes[step])), default=0)] = 1.0
    return sorted({low, high, *sizes})


def _either_way(degrees: float) -> Sequence[float]:
    steps = math.ceil(degrees / DEGREES)
    return [degrees * step / steps for step in range(-steps, steps + 1)] if steps else [0.0]


def _peaks(scores: Gray, size: tuple[int, ...], limit: int) -> list[tuple[int, int, float]]:
    """Return up to ``limit`` (y, x, score), best first, none within half a template of another."""
    left: npt.NDArray[np.float64] = scores.copy()
    peaks = []
    for _ in range(limit):
        y, x = (int(v) for v in np.unravel_index(int(left.argmax()), left.shape))
        if left[y, x] == -np.inf:
            break
        peaks.append((y, x, float(left[y, x])))
        reach = size[0] // 2, size[1] // 2
        left[max(0, y - reach[0]) : y + reach[0] + 1, max(0, x - reach[1]) : x + reach[1] + 1] = -np.inf
    return peaks
