"""The pictures of what a detector found."""

from __future__ import annotations

from collections.abc import Iterator

from ..protocols import Cuts, Detector
from ..types import Image, Region
from .box import crop

__all__ = ["cuts"]


def cuts(detector: Detector, image: Image) -> Iterator[tuple[Region, Image]]:
    """Yield each region, best first, with its picture: the detector's own where it makes one, else the crop."""
    if isinstance(detector, Cuts):
        yield from detector.cuts(image)
        return
    for region in detector.detect(image):
        yield region, crop(image, region)
