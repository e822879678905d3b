"""What lies on a plain ground: the box of all that differs from the colour of the border."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..types import Image, Region
from .box import rescaled
from .mass import box_of_mass

__all__ = ["Content"]

SIDE = 256  # pixels of the longer side that is looked at
NOISE, RAMP = 10.0, 20.0  # grey levels: a difference counts from NOISE on, fully at NOISE + RAMP
PLAIN = 0.75  # share of the border that must be near its median for the ground to count as plain
TAIL = 0.002  # of the content that may lie outside on each side: dust
MARGIN = 0.02


class Content:
    """One box around the content of a product picture, an icon or a drawing; none where the ground is not plain."""

    name = "content"
    spec = "content"
    fingerprint = f"content/1/{SIDE},{NOISE},{RAMP},{PLAIN},{TAIL},{MARGIN}"

    def detect(self, image: Image) -> Sequence[Region]:
        """Return the box of what differs from the border's median colour; its score is the share of plain border."""
        from PIL import Image as Pillow

        height, width = image.shape[:2]
        factor = min(1.0, SIDE / max(width, height))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        picture = Pillow.fromarray(np.ascontiguousarray(image)).resize(size, Pillow.Resampling.BOX)
        pixels = np.asarray(picture, np.float64)
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        ground = np.median(border, axis=0)
        plain = float((np.abs(border - ground).max(axis=1) <= NOISE).mean())
        weights = ((np.abs(pixels - ground).max(axis=2) - NOISE) / RAMP).clip(0, 1)
        if plain < PLAIN or not weights.any():
            return []
        return [rescaled(box_of_mass(weights, tail=TAIL, margin=MARGIN), width, height, plain)]
