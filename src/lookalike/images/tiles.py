"""Many small pictures in one."""

from __future__ import annotations

import math
import os

import numpy as np
import numpy.typing as npt

from ..errors import StorageFailed
from ..types import Image

__all__ = ["save_tiles", "tiled"]

_LEAST = 48  # pixels of a tile's side; smaller pictures are enlarged by whole factors, so that they stay sharp
_GAP = 4


def tiled(pictures: npt.NDArray[np.uint8]) -> Image:
    """Return (K, h, w, 3) uint8 pictures, K > 0, in rows from the upper left, on white."""
    factor = max(1, math.ceil(_LEAST / max(pictures.shape[1:3])))
    large = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
    count, height, width = large.shape[:3]
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((_GAP + rows * (height + _GAP), _GAP + columns * (width + _GAP), 3), 255, np.uint8)
    for place, picture in enumerate(large):
        top, left = _GAP + place // columns * (height + _GAP), _GAP + place % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def save_tiles(pictures: npt.NDArray[np.uint8], target: str | os.PathLike[str]) -> None:
    """Write ``tiled`` pictures as a PNG.

    Raises:
        StorageFailed: the file cannot be written.
    """
    from PIL import Image as Pillow

    try:
        Pillow.fromarray(tiled(pictures)).save(target, format="PNG")
    except OSError as error:
        raise StorageFailed(f"{os.fspath(target)} could not be written: {error.strerror or error}.") from error
