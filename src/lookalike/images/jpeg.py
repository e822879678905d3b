"""JPEG at the scale that is needed: simplejpeg where it can, Pillow's draft mode where it cannot."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow
from PIL import JpegImagePlugin

from ..types import Image
from .colour import to_srgb

if TYPE_CHECKING:
    from PIL import ImageFile

__all__ = ["OVERSAMPLING", "decode_jpeg", "jpeg_scale", "open_jpeg", "resampled"]

# The short side of a reduced picture is at least this many times the embedder's input. Measured as the cosine between
# mean-free pixel vectors of the reduced and of the full decode, both resized to 32..256 with bilinear, bicubic and
# Lanczos filters, over 160 photographs: never below 0.9990 from 2.1 on; 0.9985 at 2.0, 0.9965 at 1.5.
OVERSAMPLING = 2.2

# 3/8, 5/8, 6/8 and 7/8 exist too, but have no SIMD code in libjpeg-turbo: slower than 1/2, or than the full decode.
_SCALES = (8, 4, 2)


def open_jpeg(data: bytes) -> JpegImagePlugin.JpegImageFile:
    """Parse the header only. Unlike ``PIL.Image.open`` it never follows a second picture (MPO)."""
    return JpegImagePlugin.JpegImageFile(io.BytesIO(data), "")


def jpeg_scale(width: int, height: int, input_size: int | None) -> int:
    """Return 8, 4, 2 or 1: the decoder is to reduce both sides by that."""
    if input_size is None:
        return 1
    return next((s for s in _SCALES if min(width, height) >= s * OVERSAMPLING * input_size), 1)


def decode_jpeg(data: bytes, header: ImageFile.ImageFile, *, input_size: int | None) -> Image:
    """Decode to sRGB, reduced as far as ``input_size`` allows, not yet turned upright.

    Args:
        data: the whole file.
        header: what :func:`open_jpeg` made of it; used up here.
        input_size: what the embedder takes, in pixels; None decodes in full.

    Returns:
        (H, W, 3) uint8, covering exactly the original's area.

    Raises:
        OSError: truncated or damaged so that Pillow too refuses it.
    """
    width, height = header.size
    scale = jpeg_scale(width, height, input_size)
    pixels = _fast(data, header, scale)
    if pixels is not None and "icc_profile" not in header.info and width % scale == 0 and height % scale == 0:
        return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
    picture: Pillow.Image
    if pixels is not None:
        picture = Pillow.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
        picture.info["icc_profile"] = header.info.get("icc_profile")
    else:
        if scale > 1:
            header.draft(header.mode, (width // scale, height // scale))
        header.load()
        picture = header
    return np.array(resampled(to_srgb(picture), width / scale, height / scale, input_size))


def _fast(data: bytes, header: ImageFile.ImageFile, scale: int) -> Image | None:
    """Return what simplejpeg decodes; None where Pillow is to judge."""
    import simplejpeg

    width, height = header.size
    colourspace = {"RGB": "RGB", "L": "GRAY"}.get(header.mode)
    if colourspace is None:
        return None
    rows, columns = -(-height // scale), -(-width // scale)
    try:
        # Strict: what libjpeg only warns of (grey blocks in place of missing ones) is an error. Pillow then decides.
        pixels: Image = simplejpeg.decode_jpeg(data, colourspace, min_height=rows, min_width=columns, strict=True)
    except ValueError:
        return None
    return pixels if pixels.shape[:2] == (rows, columns) else None


def resampled(picture: Pillow.Image, width: float, height: float, input_size: int | None) -> Pillow.Image:
    """Make a reduced picture cover exactly the original's area.

    A side of 1063 pixels at 1/8 becomes 133 pixels, the last of which stands for 7/8 of a pixel only. Taken as 133
    whole ones the picture is stretched by 0.1%, and that alone takes up to 0.03 from the cosine of its vector.

    Args:
        picture: reduced, sides rounded up.
        width: what its sides are in truth, in reduced pixels.
        height: likewise.
        input_size: since each pixel is computed anyway, no more than ``OVERSAMPLING`` times this many are.
    """
    if width == picture.width and height == picture.height:
        return picture
    shrink = 1.0 if input_size is None else min(1.0, OVERSAMPLING * input_size / min(width, height))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return picture.resize(size, Pillow.Resampling.BICUBIC, box=(0.0, 0.0, width, height))
