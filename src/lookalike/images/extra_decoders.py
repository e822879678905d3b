"""HEIC through pillow-heif and camera RAW through rawpy: formats of two extras."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image as Pillow

from ..errors import MissingExtra
from ..types import Image
from .colour import to_srgb

__all__ = ["decode_heif", "decode_raw"]

CheckSize = Callable[[int, int], None]


def decode_heif(data: bytes, *, check_size: CheckSize) -> Pillow.Image:
    """Decode the primary picture of a HEIC file to sRGB; libheif turns it upright itself.

    Raises:
        MissingExtra: pillow-heif is not installed.
    """
    try:
        import pillow_heif
    except ImportError as missing:
        raise MissingExtra(
            "the picture is a HEIC file, and the package 'pillow-heif' is not installed.",
            hint="Try: pip install 'lookalike[heic]'",
        ) from missing
    container = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
    check_size(*container.size)
    picture: Pillow.Image = container.to_pillow()
    picture.info["icc_profile"] = container.info.get("icc_profile")
    return to_srgb(picture)


def decode_raw(data: bytes, *, input_size: int | None, check_size: CheckSize) -> tuple[Image, int, int]:
    """Develop a camera's RAW file with its own white balance; LibRaw turns it upright itself.

    With ``input_size`` at most a quarter of the short side, each 2 x 2 cell of the sensor becomes one pixel instead
    of being interpolated to four. The embedded preview is not used: it is the camera's own rendering, of unknown size.

    Returns:
        Pixels, and the upright width and height of the full picture.

    Raises:
        MissingExtra: rawpy is not installed.
    """
    try:
        import rawpy
    except ImportError as missing:
        raise MissingExtra(
            "the picture is a camera's RAW file, and the package 'rawpy' is not installed.",
            hint="Try: pip install 'lookalike[raw]'",
        ) from missing
    with rawpy.imread(io.BytesIO(data)) as raw:
        sizes = raw.sizes
        check_size(sizes.raw_width, sizes.raw_height)
        width, height = sizes.width, sizes.height
        if sizes.flip in {5, 6}:  # quarter turns
            width, height = height, width
        half = input_size is not None and min(width, height) >= 4 * input_size
        pixels: Image = raw.postprocess(use_camera_wb=True, output_bps=8, half_size=half)
    return np.ascontiguousarray(pixels), width, height
