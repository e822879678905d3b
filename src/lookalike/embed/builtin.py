"""The embedders that need no weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..types import Image, Vectors, VectorSpace

__all__ = ["ColorHistogram", "builtin_1", "color_histogram"]

BINS = 8


class ColorHistogram:
    """Joint RGB histogram of 8 x 8 x 8 cells, square-rooted, so that the dot product is Bhattacharyya's coefficient."""

    def __init__(self, name: str) -> None:
        self.spec = name
        self.space = VectorSpace(name, BINS**3, f"{name}/0")
        self.fingerprint = self.space.fingerprint
        self.input_size = 64

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return the image as (64, 64, 3) uint8."""
        from PIL import Image as Pillow

        return np.asarray(Pillow.fromarray(image).resize((64, 64), Pillow.Resampling.BOX))

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, 512) unit rows."""
        rows = np.zeros((len(prepared), BINS**3), np.float32)
        for row, image in zip(rows, prepared, strict=True):
            cells = (image.reshape(-1, 3) // (256 // BINS)).astype(np.int64)
            counts = np.bincount(cells @ np.array([BINS**2, BINS, 1]), minlength=BINS**3)
            row[:] = np.sqrt(counts / counts.sum())
        return rows

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, 512) unit rows."""
        return self.embed_prepared([self.prepare(image) for image in images])


def builtin_1() -> ColorHistogram:
    """Return the first built-in embedder."""
    return ColorHistogram("builtin-1")


def color_histogram() -> ColorHistogram:
    """Return the colour histogram alone."""
    return ColorHistogram("color-histogram")
