"""Are two pictures one picture? A second opinion beside the embedder's, from the pixels themselves.

Both are brought to 16 × 16 colours. They are one picture when these go up and down together, and are about as bright:
re-encoded, resized and somewhat brighter copies are; the other pictures of an object, the same shape in another
colour, and crops of more than a few per cent are not. A picture turned by quarters or mirrored is still itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..types import Image

__all__ = ["SIDE", "Thumbnail", "same_picture", "thumbnail"]

Thumbnail = npt.NDArray[np.uint8]  # (16, 16, 3)

SIDE = 16
# Measured by benchmarks/leaks.py, beside the candidates' least score (``leaks.NEAR``); change them there together.
CORRELATION = 0.98  # of re-encoded and halved photographs, 1 in 100 has less than 0.99
DIFFERENCE = 45.0  # root mean square, of 255; copies a quarter brighter differ by up to 40
_AT_ONCE = 2048  # pairs: their pictures take 50 MB


def thumbnail(image: Image) -> Thumbnail:
    """Return the (16, 16, 3) mean colours of an image (H, W, 3)."""
    from PIL import Image as Pillow

    small = Pillow.fromarray(image).resize((SIDE, SIDE), Pillow.Resampling.BOX)
    return np.asarray(small, np.uint8)


def same_picture(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return (P,): whether each pair of thumbnails, (P, 16, 16, 3) each, shows one picture."""
    found = np.zeros(len(first), np.bool_)
    for start in range(0, len(first), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        left, right = first[part].astype(np.float32), second[part].astype(np.float32)
        for mirrored in (left, left[:, :, ::-1]):
            for quarters in range(4):
                found[part] |= _alike(np.rot90(mirrored, quarters, axes=(1, 2)), right)
    return found


def _alike(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    flat = [part.reshape(len(part), -1) for part in (left, right)]
    difference = np.sqrt(((flat[0] - flat[1]) ** 2).mean(axis=1))
    a, b = (part - part.mean(axis=1, keepdims=True) for part in flat)
    lengths = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    # Pictures of one colour go neither up nor down: their difference alone decides.
    plain = lengths < 1.0
    correlation = np.where(plain, 1.0, (a * b).sum(axis=1) / np.maximum(lengths, 1.0))
    limit = np.where(plain, 2.0, DIFFERENCE)
    alike: npt.NDArray[np.bool_] = (correlation >= CORRELATION) & (difference <= limit)
    return alike
