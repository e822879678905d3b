"""What the descriptors look at: the whole picture, and its content without the empty border."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...types import Image

__all__ = ["CONSTANTS", "CONTENT_SIDE", "SIDE", "Views", "pool", "prepare"]

SIDE = 128  # pixels of the canvas that every picture is resized to, whatever its shape
CONTENT_SIDE = 64
MAX_ASPECT = 8.0  # a longer strip is treated as one of this shape

# A difference from the background counts as content from NOISE grey levels on, fully at NOISE + RAMP: ramps instead of
# thresholds, so that the noise of another JPEG decoder moves nothing by a whole pixel.
NOISE, RAMP = 8.0, 16.0
BORDER = 2  # pixels of the canvas
PLAIN_BORDER = (0.6, 0.9)  # share of the border near its median: under the first a photograph, over the second empty
TAIL = 0.01  # share of the content that may lie outside the box on each side: specks
MARGIN = 0.06  # of the box, kept on each side: gradients of outlines need both of their sides

PLAIN_STEP = 3.0  # grey levels between neighbours of the halved canvas: up to this an area is plain, not from twice on
PLAIN_SHARE = 0.6  # of plain areas makes a pictogram; emoji and logos have more, most photographs less

# All of the above, for fingerprints: what changes a number must change a fingerprint. 1 is the version of the formulas.
CONSTANTS = repr(
    (1, SIDE, CONTENT_SIDE, MAX_ASPECT, NOISE, RAMP, BORDER, PLAIN_BORDER, TAIL, MARGIN, PLAIN_STEP, PLAIN_SHARE)
)

_LUMA = np.array([77 / 256, 150 / 256, 29 / 256], np.float32)  # BT.601, so rounded that float32 sums are exact

_PREPARED = np.dtype([("pixels", np.uint8, (SIDE, SIDE, 3)), ("aspect", np.float32)])


def prepare(image: Image) -> npt.NDArray[Any]:
    """Return the image on the canvas: a record of its pixels and of the width / height that it had."""
    from PIL import Image as Pillow

    height, width = image.shape[:2]
    picture = Pillow.fromarray(np.ascontiguousarray(image))
    record = np.zeros((), _PREPARED)
    record["pixels"] = np.asarray(picture.resize((SIDE, SIDE), Pillow.Resampling.BILINEAR, reducing_gap=3.0))
    record["aspect"] = np.clip(width / height, 1 / MAX_ASPECT, MAX_ASPECT)
    return record


class Views:
    """Views of B prepared images, each computed once and only when a descriptor asks for it."""

    def __init__(self, prepared: Sequence[npt.NDArray[Any]]) -> None:
        batch = np.stack(prepared)
        self.pixels: npt.NDArray[np.uint8] = batch["pixels"]  # (B, 128, 128, 3)
        self._aspect: npt.NDArray[np.float32] = batch["aspect"]
        self.kept: dict[str, npt.NDArray[np.float32]] = {}  # by a name, what several descriptors share

    @cached_property
    def half(self) -> npt.NDArray[np.float32]:
        """Return the whole picture, (B, 64, 64, 3), 0..255."""
        return pool(self.pixels.astype(np.float32), 2)

    @cached_property
    def grey(self) -> npt.NDArray[np.float32]:
        """Return the brightness of ``half``, (B, 64, 64), 0..255; exact, so equal in whatever order it is summed."""
        return np.asarray(self.half @ _LUMA)

    @cached_property
    def content(self) -> npt.NDArray[np.float32]:
        """Return the content, (B, 64, 64, 3), 0..255; see ``framed``."""
        return self.framed(CONTENT_SIDE)

    def framed(self, size: int) -> npt.NDArray[np.float32]:
        """Return the content, (B, size, size, 3), 0..255: centred, its shape kept.

        What is missing is filled with background. The more even the border, the more of it is cut; a picture that
        fills its frame stays as it is.
        """
        pixels, background, centre, side, evenness = self._frame
        rows = _sampler(centre[:, 0], side, evenness, size)
        columns = _sampler(centre[:, 1], side / self._aspect, evenness, size)
        count = len(pixels)
        tall = (rows @ pixels.reshape(count, SIDE, SIDE * 3)).reshape(count, size, SIDE, 3)
        sampled = columns[:, None] @ tall  # (B, size, size, 3)
        return np.clip(sampled + background[:, None, None], 0, 255).astype(np.float32)

    @cached_property
    def _frame(self) -> tuple[npt.NDArray[np.floating], ...]:
        """Return the pixels less the background, the background, and where the content is."""
        pixels = self.pixels.astype(np.float32)
        background, evenness = _border(pixels)
        pixels -= background[:, None, None]
        inside = np.clip((_strongest(pixels) - NOISE) / RAMP, 0, 1)  # (B, H, W)
        top, bottom = _extent(inside.mean(axis=2))
        left, right = _extent(inside.mean(axis=1))
        height, width = bottom - top, (right - left) * self._aspect
        side = np.maximum(np.maximum(height, width) * (1 + 2 * MARGIN), CONTENT_SIDE / 8)
        centre = np.stack([(top + bottom) / 2, (left + right) / 2], axis=1)
        return pixels, background, centre, side, evenness

    @cached_property
    def flatness(self) -> npt.NDArray[np.float32]:
        """Return (B,) in [0, 1]: how much of the picture is plain areas; near 1 for pictograms, low for photographs."""
        across = _strongest(np.diff(self.half, axis=2))[:, :-1]
        down = _strongest(np.diff(self.half, axis=1))[:, :, :-1]
        plain = np.clip(2 - np.maximum(across, down) / PLAIN_STEP, 0, 1).mean(axis=(1, 2))
        return np.asarray(np.clip(plain / PLAIN_SHARE, 0, 1), np.float32)


def pool(pixels: npt.NDArray[np.float32], factor: int) -> npt.NDArray[np.float32]:
    """Return means over factor x factor blocks: (B, H, W, C) -> (B, H / factor, W / factor, C)."""
    count, height, width, channels = pixels.shape
    rows = pixels.reshape(count, height // factor, factor, width, channels).mean(axis=2)
    return np.asarray(rows.reshape(count, height // factor, width // factor, factor, channels).mean(axis=3))


def _border(pixels: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the border's median colour (B, 3), and in [0, 1] how much of the border has it (B,)."""
    count = len(pixels)
    edges = [
        pixels[:, :BORDER],
        pixels[:, -BORDER:],
        pixels[:, BORDER:-BORDER, :BORDER],
        pixels[:, BORDER:-BORDER, -BORDER:],
    ]
    border = np.concatenate([edge.reshape(count, -1, 3) for edge in edges], axis=1)
    background = np.median(border, axis=1)
    near = np.clip((NOISE + RAMP - np.abs(border - background[:, None]).max(axis=2)) / RAMP, 0, 1).mean(axis=1)
    low, high = PLAIN_BORDER
    t = np.clip((near - low) / (high - low), 0, 1)
    return background, t * t * (3 - 2 * t)


def _extent(profile: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return where the cumulated (B, SIDE) profile passes TAIL and 1 - TAIL, in fractions of pixels."""
    total = np.cumsum(profile, axis=1, dtype=np.float64)
    share = np.pad(total / np.maximum(total[:, -1:], 1e-6), ((0, 0), (1, 0)))
    marks = np.arange(SIDE + 1)
    found = np.array([np.interp((TAIL, 1 - TAIL), row, marks) for row in share])
    return found[:, 0], found[:, 1]


def _sampler(
    center: npt.NDArray[np.floating], length: npt.NDArray[np.floating], evenness: npt.NDArray[np.float32], size: int
) -> npt.NDArray[np.float32]:
    """Return (B, size, 128): what each sample takes of each pixel along one axis; triangles, widened when shrinking."""
    start = evenness * (center - length / 2)
    stop = evenness * (center + length / 2) + (1 - evenness) * SIDE
    step = (stop - start) / size
    at = start[:, None] + (np.arange(size) + 0.5) * step[:, None]
    reach = np.maximum(step, 1)[:, None, None]
    distance = np.abs(np.arange(SIDE) + 0.5 - at[..., None])
    return (np.maximum(0, 1 - distance / reach) / reach).astype(np.float32)


def _strongest(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (B, H, W), the largest magnitude of the three channels; ``max(axis=3)`` is ten times slower."""
    size = np.abs(values)
    return np.maximum(np.maximum(size[..., 0], size[..., 1]), size[..., 2])
