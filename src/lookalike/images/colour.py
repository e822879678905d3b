"""From any Pillow mode to sRGB: colour profiles, deep grey, palettes, CMYK, and alpha on white."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageCms

__all__ = ["to_srgb"]

# No honest profile is larger (press profiles stay under 3 MB), and the cache below holds on to their bytes.
_LARGEST_PROFILE = 4 << 20

_SPACE_MODE = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}

# Pillow reads 16-bit files of these formats into 32 bits and keeps the scale of 0..65535.
_SIXTEEN_IN_32 = frozenset({"PNG", "PPM"})


def to_srgb(picture: Pillow.Image) -> Pillow.Image:
    """Convert a loaded picture of any mode to sRGB, without alpha.

    - An embedded ICC profile is applied (perceptual intent); one that is broken, or does not fit the picture's mode,
      is ignored. CMYK without a profile is converted as Pillow does, by plain subtraction.
    - 16-bit grey keeps its 8 high bits (``value >> 8``). 32-bit integers are stretched from their own smallest and
      largest value to 0..255. Floats that all lie in [0, 1] are multiplied by 255, others are stretched likewise;
      what is not finite becomes 0.
    - Alpha, colour keys and transparent palette entries are composited on white, in sRGB.

    Args:
        picture: loaded, of any mode.

    Returns:
        The picture in mode ``RGB``, of the same size.
    """
    if picture.mode.startswith("I") or picture.mode == "F":
        colour, alpha = _eight_bits(picture), None
    else:
        colour, alpha = _split_alpha(picture)
    colour = _apply_profile(colour, picture.info.get("icc_profile"))
    if colour.mode != "RGB":
        colour = colour.convert("RGB")
    if alpha is None:
        return colour
    white = Pillow.new("RGB", colour.size, (255, 255, 255))
    white.paste(colour, mask=alpha)
    return white


def _eight_bits(picture: Pillow.Image) -> Pillow.Image:
    values = np.asarray(picture)
    if picture.mode.startswith("I;16"):
        return Pillow.fromarray((values >> 8).astype(np.uint8))
    if picture.mode == "I" and picture.format in _SIXTEEN_IN_32:
        return Pillow.fromarray((np.clip(values, 0, 65535) >> 8).astype(np.uint8))
    return Pillow.fromarray(_stretch(values.astype(np.float64), unit=picture.mode == "F"))


def _stretch(values: npt.NDArray[np.float64], *, unit: bool) -> npt.NDArray[np.uint8]:
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = float(values[finite].min()), float(values[finite].max())
    if unit and low >= 0.0 and high <= 1.0:
        low, high = 0.0, 1.0
    # A picture of one value has nothing to stretch: black.
    scale = 255.0 / (high - low) if 0.0 < high - low < float("inf") else 0.0
    level = np.where(finite, values, low) - low
    return np.rint(np.clip(level * scale, 0.0, 255.0)).astype(np.uint8)


def _split_alpha(picture: Pillow.Image) -> tuple[Pillow.Image, Pillow.Image | None]:
    """Return the colour in mode L, RGB or CMYK, and the alpha in mode L if there is any."""
    mode = picture.mode
    if picture.has_transparency_data and mode != "CMYK":
        # Pillow has no way from premultiplied grey to RGBA but this one.
        rgba = (picture.convert("LA") if mode == "La" else picture).convert("RGBA")
        # Grey stays one channel, so that a grey profile fits it.
        grey = mode in {"1", "L", "LA", "La"}
        return rgba.getchannel("R") if grey else rgba.convert("RGB"), rgba.getchannel("A")
    if mode == "1":
        return picture.convert("L"), None
    return (picture if mode in {"L", "RGB", "CMYK"} else picture.convert("RGB")), None


def _apply_profile(colour: Pillow.Image, profile: object) -> Pillow.Image:
    if not isinstance(profile, bytes) or not 0 < len(profile) <= _LARGEST_PROFILE:
        return colour
    transform = _transform(profile, colour.mode)
    if transform is None:
        return colour
    try:
        converted = ImageCms.applyTransform(
            colour if colour.mode == transform.input_mode else colour.convert(transform.input_mode), transform
        )
    except ImageCms.PyCMSError:  # a profile that builds and does not work
        return colour
    return colour if converted is None else converted


@lru_cache(maxsize=16)  # a folder holds few different profiles; building a transform costs more than applying it
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform to sRGB; None where it would change nothing, cannot be built, or does not fit the mode."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        needed = _SPACE_MODE.get(source.profile.xcolor_space.strip())
        # Grey pictures with an RGB profile are common: cameras and editors embed it whatever the mode.
        if needed is None or (needed != mode and (mode, needed) != ("L", "RGB")):
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), needed, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if _changes_nothing(transform) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Tell by trying, whatever the profile calls itself: sRGB comes under many names."""
    if transform.input_mode == "CMYK":
        return False
    if transform.input_mode == "L":
        probe = Pillow.fromarray(np.arange(256, dtype=np.uint8)[None])
    else:
        steps = np.linspace(0, 255, 9).astype(np.uint8)
        probe = Pillow.fromarray(np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3))
    after = ImageCms.applyTransform(probe, transform)
    before = np.asarray(probe.convert("RGB"), np.int16)
    return after is not None and int(np.abs(np.asarray(after, np.int16) - before).max()) <= 1
