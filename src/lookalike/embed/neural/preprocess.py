"""From an image to the pixels that a network was trained on: resize, crop, scale, normalise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...errors import ModelError
from ...types import Image

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "Preprocess", "from_config", "imagenet"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_FILTERS = range(6)  # Pillow's numbers, which preprocessor_config.json uses: 0 nearest ... 5 hamming


@dataclass(frozen=True, slots=True)
class Preprocess:
    """What is done to an image before the network sees it.

    Attributes:
        resize: (height, width) to resize to, whatever the shape of the image; None when ``shortest_edge`` rules.
        shortest_edge: pixels of the shorter side after resizing, the shape kept; None for no such step.
        crop: (height, width) cut out of the middle; where the image is smaller it is padded with black.
        resample: Pillow's number of the filter: 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming.
        scale: what the values 0..255 are multiplied by.
        mean, std: subtracted and divided by, per channel, after scaling.
        crop_rounding: where a crop begins when its margins are odd: half a pixel is rounded ``down``, or to the
            ``even`` pixel, as torchvision does.
    """

    resize: tuple[int, int] | None
    shortest_edge: int | None
    crop: tuple[int, int] | None
    resample: int = 2
    scale: float = 1 / 255
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    crop_rounding: Literal["down", "even"] = "down"

    def __repr__(self) -> str:
        # Part of fingerprints: what is left at a default that came later must not change it.
        shown = [f.name for f in fields(self) if f.name != "crop_rounding" or self.crop_rounding != "down"]
        return f"Preprocess({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    @property
    def output(self) -> tuple[int, int] | None:
        """Return (height, width) of every prepared image; None when it depends on the image."""
        return self.crop or self.resize

    @property
    def side(self) -> int:
        """Return the pixels that a decoder should keep at least on the shorter side."""
        return max(self.shortest_edge or 0, *(self.resize or (0,)), *(self.crop or (0,)))

    def pixels(self, image: Image) -> Image:
        """Return the image resized and cropped, (height, width, 3) uint8; rounded as Pillow does."""
        from PIL import Image as Pillow

        height, width = image.shape[:2]
        target = self.resize or (height, width)
        if self.shortest_edge is not None:
            short, long = min(height, width), max(height, width)
            other = int(self.shortest_edge * long / short)
            target = (self.shortest_edge, other) if height <= width else (other, self.shortest_edge)
        if self.crop is not None and max(target) > 64 * max(self.crop):
            # A 1 x 20000 strip would grow to gigabytes only to be cropped again.
            image, target = _middle(image, target, self.crop)
        if target != image.shape[:2]:
            picture = Pillow.fromarray(np.ascontiguousarray(image))
            image = np.asarray(picture.resize(target[::-1], Pillow.Resampling(self.resample)))
        return image if self.crop is None else _center_crop(image, self.crop, self.crop_rounding)

    def scaled(self, factor: float) -> Preprocess:
        """Return the same for a picture so many times as large, of at least one pixel."""

        def times(side: int) -> int:
            return max(1, round(side * factor))

        return replace(
            self,
            resize=None if self.resize is None else (times(self.resize[0]), times(self.resize[1])),
            shortest_edge=None if self.shortest_edge is None else times(self.shortest_edge),
            crop=None if self.crop is None else (times(self.crop[0]), times(self.crop[1])),
        )

    def normalise(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return (B, height, width, 3) float32 of (B, height, width, 3) uint8."""
        factor, shift = self._line()
        return np.asarray(pixels.astype(np.float32) * factor - shift)

    def planes(self, pixels: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """Return the same as (B, 3, height, width), of B images of one size; many times as quick.

        numpy's innermost loop is then along a row of one channel, not over three channels.
        """
        factor, shift = (each[:, None, None] for each in self._line())
        made = np.empty((len(pixels), 3, *pixels[0].shape[:2]), np.float32)
        for image, plane in zip(pixels, made, strict=True):
            plane[:] = image.transpose(2, 0, 1)
            plane *= factor
            plane -= shift
        return made

    def _line(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        factor = self.scale / np.asarray(self.std)
        shift = np.asarray(self.mean) / np.asarray(self.std)
        return factor.astype(np.float32), shift.astype(np.float32)


def imagenet(size: tuple[int, int]) -> Preprocess:
    """Return what most ImageNet networks were trained with, for an input of this (height, width).

    The shorter side is resized to the input's and the middle is cut out; a network whose input is not square gets the
    whole picture, resized.
    """
    if size[0] == size[1]:
        return Preprocess(resize=None, shortest_edge=size[0], crop=size)
    return Preprocess(resize=size, shortest_edge=None, crop=None)


def from_config(config: Mapping[str, Any], *, source: str) -> Preprocess:
    """Read a ``preprocessor_config.json`` as Hugging Face's image processors write it.

    ``size`` may be a number (the shorter side when there is a crop, else both sides), ``{"shortest_edge": n}`` or
    ``{"height": h, "width": w}``; ``crop_pct`` enlarges the resize before a crop, as ConvNeXT's processor does.
    ``crop_rounding`` is our own: ``even`` crops as torchvision does.

    Args:
        config: the JSON object.
        source: where it came from, for messages.

    Raises:
        ModelError: a value that cannot be understood.
    """
    config = {key: value for key, value in config.items() if value is not None}  # null: what the processor does itself
    crop = _size(config.get("crop_size"), "crop_size", source) if config.get("do_center_crop", False) else None
    resize: tuple[int, int] | None = None
    shortest: int | None = None
    if config.get("do_resize", True):
        size = config.get("size", 224)
        if isinstance(size, Mapping) and "shortest_edge" in size:
            shortest = _positive(size["shortest_edge"], "size.shortest_edge", source)
        elif isinstance(size, int) and crop is not None:
            shortest = _positive(size, "size", source)
        else:
            resize = _size(size, "size", source)
        percent = config.get("crop_pct")
        if percent is not None and shortest is not None and shortest < 384:
            crop, shortest = (shortest, shortest), int(shortest / float(percent))
    resample = config.get("resample", 2)
    if resample not in _FILTERS:
        raise ModelError(f"{source}: resample should be a number from 0 to 5, got {resample!r}")
    rounding = config.get("crop_rounding", "down")
    if rounding not in ("down", "even"):
        raise ModelError(f"{source}: crop_rounding should be 'down' or 'even', got {rounding!r}")
    normalise = config.get("do_normalize", True)
    return Preprocess(
        resize=resize,
        shortest_edge=shortest,
        crop=crop,
        resample=int(resample),
        scale=float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0,
        mean=_triple(config.get("image_mean", IMAGENET_MEAN), "image_mean", source) if normalise else (0.0, 0.0, 0.0),
        std=_triple(config.get("image_std", IMAGENET_STD), "image_std", source) if normalise else (1.0, 1.0, 1.0),
        crop_rounding=rounding,
    )


def _center_crop(image: Image, crop: tuple[int, int], rounding: str) -> Image:
    height, width = image.shape[:2]
    if height < crop[0] or width < crop[1]:
        rows, columns = max(height, crop[0]), max(width, crop[1])
        padded = np.zeros((rows, columns, 3), np.uint8)
        top, left = (rows - height) // 2, (columns - width) // 2
        padded[top : top + height, left : left + width] = image
        image, height, width = padded, rows, columns
    top, left = (height - crop[0]) // 2, (width - crop[1]) // 2
    if rounding == "even":
        top, left = round((height - crop[0]) / 2), round((width - crop[1]) / 2)
    return image[top : top + crop[0], left : left + crop[1]]


def _middle(image: Image, target: tuple[int, int], crop: tuple[int, int]) -> tuple[Image, tuple[int, int]]:
    """Keep of a very long image only the middle that the crop will use; sizes change in proportion."""
    axis = 0 if target[0] >= target[1] else 1
    ratio = target[axis] / image.shape[axis]
    keep = min(image.shape[axis], max(1, int(np.ceil(2 * crop[axis] / ratio))))
    start = (image.shape[axis] - keep) // 2
    part = image[start : start + keep] if axis == 0 else image[:, start : start + keep]
    length = max(crop[axis], round(keep * ratio))
    return part, (length, target[1]) if axis == 0 else (target[0], length)


def _positive(value: object, key: str, source: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 8192:
        raise ModelError(f"{source}: {key} should be a whole number of pixels from 1 to 8192, got {value!r}")
    return value


def _size(value: object, key: str, source: str) -> tuple[int, int]:
    if isinstance(value, Mapping) and {"height", "width"} <= set(value):
        return _positive(value["height"], f"{key}.height", source), _positive(value["width"], f"{key}.width", source)
    if isinstance(value, Mapping):
        raise ModelError(f"{source}: {key} should have height and width, or shortest_edge, got {dict(value)!r}")
    side = _positive(value, key, source)
    return side, side


def _triple(value: object, key: str, source: str) -> tuple[float, float, float]:
    try:
        first, second, third = (float(v) for v in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as wrong:
        raise ModelError(f"{source}: {key} should be three numbers, got {value!r}") from wrong
    if not np.isfinite([first, second, third]).all() or (key == "image_std" and 0 in (first, second, third)):
        raise ModelError(f"{source}: {key} should be finite, and no deviation 0, got {value!r}")
    return first, second, third
