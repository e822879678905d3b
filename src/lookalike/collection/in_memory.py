"""Pictures in memory, as items that indexing takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, BadShape
from ..images import Item
from ..types import Image, Metadata

if TYPE_CHECKING:
    from PIL import Image as PILImage

    AnyImage: TypeAlias = bytes | npt.NDArray[Any] | PILImage.Image
else:
    AnyImage = Any

__all__ = ["AnyImage", "items_of", "pixels_of", "png_of"]


def pixels_of(image: AnyImage) -> Image:
    """Return (H, W, 3) uint8 of a Pillow image or of an array (H, W), (H, W, 3) or (H, W, 4) uint8.

    Alpha is composited on white, as for files.

    Raises:
        BadShape: another type or shape.
    """
    if not isinstance(image, (bytes, np.ndarray)) and hasattr(
        image, "convert"
    ):  # a Pillow image: decoding knows palettes, alpha, profiles and 16 bits
        from PIL import ImageOps

        from ..images.colour import to_srgb

        return np.array(to_srgb(ImageOps.exif_transpose(image)))
    array = np.asarray(image)
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise BadShape(
            "an image in memory must be uint8 of shape (H, W), (H, W, 3) or (H, W, 4), "
            f"got {array.dtype} {array.shape}.",
            hint="Scale floats to 0..255 and convert them to uint8.",
        )
    if array.shape[2] == 4:
        alpha = array[:, :, 3:].astype(np.float32) / 255
        array = (array[:, :, :3] * alpha + 255 * (1 - alpha) + 0.5).astype(np.uint8)
    return np.ascontiguousarray(array)


def items_of(images: Sequence[AnyImage], ids: Sequence[str], metadata: Sequence[Metadata] | None) -> Iterator[Item]:
    """Return an item for each image; its bytes are the caller's, or a lossless PNG of the pixels.

    Raises:
        BadInput: the lengths differ, or an id is empty.
    """
    if len(images) != len(ids) or (metadata is not None and len(metadata) != len(ids)):
        lengths = f"{len(images)} images, {len(ids)} ids" + (f", {len(metadata)} metadata" if metadata else "")
        raise BadInput(f"every image needs one id (and one metadata, when given), got {lengths}.")
    empty = [place for place, id in enumerate(ids) if not id]
    if empty:
        raise BadInput(f"the id of image {empty[0]} is empty.", hint="Give each image a text of its own.")
    return _items(images, ids, metadata or [{}] * len(ids))


def _items(images: Sequence[AnyImage], ids: Sequence[str], metadata: Sequence[Metadata]) -> Iterator[Item]:
    for image, id, facts in zip(images, ids, metadata, strict=True):
        data = bytes(image) if isinstance(image, (bytes, bytearray, memoryview)) else None
        # Not read from anywhere, so there is nothing to go back to: source stays the id itself.
        yield Item(
            id=id,
            root="",
            source=f"memory:{id}",
            stamp=None,
            metadata=facts,
            given_id=True,
            read=lambda image=image, data=data: data if data is not None else png_of(pixels_of(image)),  # type: ignore[misc]
        )


def png_of(pixels: Image) -> bytes:
    """Return (H, W, 3) uint8 as a PNG, which keeps every value."""
    from io import BytesIO

    from PIL import Image as PILImage

    buffer = BytesIO()
    PILImage.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
