"""A person's box, in pixels or fractions, and cutting a picture to one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import BadInput
from ..types import Image, Region

__all__ = ["Box", "crop", "parse_box", "rescaled"]


@dataclass(frozen=True, slots=True)
class Box:
    """A box that a person gave: fractions of the picture where all four numbers are at most 1, else pixels."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        numbers = (self.x0, self.y0, self.x1, self.y1)
        if not all(math.isfinite(number) and number >= 0 for number in numbers):
            raise BadInput(f"the box {self} has a number that is negative or not finite.", hint=HINT)
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise BadInput(f"the box {self} is empty: x0 must be below x1, and y0 below y1.", hint=HINT)

    def __str__(self) -> str:
        return f"{self.x0:g},{self.y0:g},{self.x1:g},{self.y1:g}"

    @property
    def fractions(self) -> bool:
        """Return whether the numbers are fractions of width and height."""
        return max(self.x1, self.y1) <= 1

    def region(self, width: int, height: int) -> Region:
        """Return the box in pixels of a picture; what sticks out is cut off.

        Raises:
            BadInput: the box lies outside the picture.
        """
        across, down = (width, height) if self.fractions else (1, 1)
        x0, y0 = math.floor(self.x0 * across + 1e-6), math.floor(self.y0 * down + 1e-6)
        if x0 >= width or y0 >= height:
            raise BadInput(f"the box {self} lies outside the picture, which is {width} x {height} pixels.", hint=HINT)
        x1, y1 = math.ceil(self.x1 * across - 1e-6), math.ceil(self.y1 * down - 1e-6)
        return Region(x0, y0, max(x0 + 1, min(width, x1)), max(y0 + 1, min(height, y1)))


HINT = "Write X0,Y0,X1,Y1 in pixels from the upper left corner, or as fractions from 0 to 1."


def parse_box(text: str) -> Box:
    """Understand ``X0,Y0,X1,Y1``.

    Raises:
        BadInput: not four numbers, or an empty box.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise BadInput(f"a box is four numbers with commas between, got {text!r}.", hint=HINT)
    return Box(*numbers)


def crop(image: Image, region: Region) -> Image:
    """Return the pixels of the region, (y1 - y0, x1 - x0, 3), cut at the picture's edge; a copy.

    Raises:
        BadInput: the region lies outside the picture.
    """
    height, width = image.shape[:2]
    if region.x0 >= width or region.y0 >= height:
        raise BadInput(f"the region {region} lies outside the picture, which is {width} x {height} pixels.")
    return np.ascontiguousarray(image[region.y0 : region.y1, region.x0 : region.x1])


def rescaled(box: tuple[float, float, float, float], width: int, height: int, score: float, label: str = "") -> Region:
    """Return a box of fractions as a region of at least one pixel inside a picture of this size."""
    x0, x1 = (min(max(edge, 0.0), 1.0) * width for edge in (box[0], box[2]))
    y0, y1 = (min(max(edge, 0.0), 1.0) * height for edge in (box[1], box[3]))
    left, top = min(width - 1, round(x0)), min(height - 1, round(y0))
    return Region(left, top, max(left + 1, round(x1)), max(top + 1, round(y1)), min(1.0, max(0.0, score)), label)
