"""What makes an embedder of a perceptual hash: a small grey picture in, packed bits out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from ...types import Image, Vectors, VectorSpace

__all__ = ["Grey", "Hash", "Hashing"]

Grey = npt.NDArray[np.uint8]  # (B, H, W)

_INPUT_SIZE = 128  # pixels: a decoder may work at reduced scale down to it


class Hash(Protocol):
    """One formula from grey pictures to bits. Its repr names all of its constants, since they enter the fingerprint."""

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height of the pictures that it takes."""
        ...

    @property
    def side(self) -> int:
        """Return the square root of how many bits it gives."""
        ...

    def describe(self, grey: Grey) -> npt.NDArray[np.bool_]:
        """Return (B, side x side) of (B, height, width)."""
        ...


class Hashing:
    """An embedder of bits: the picture in grey, resized with Lanczos, hashed.

    The preprocessing and the order of the bits are those of the package imagehash, so that its hexadecimal digits are
    the bytes of a row.

    Attributes:
        spec: the name in the table.
        space: bits; the fingerprint is the name and a hash of all constants.
        input_size: 128.
        method: the formula.
    """

    def __init__(self, name: str, method: Hash) -> None:
        self.spec = name
        self.method = method
        text = f"grey, Lanczos, 1;{method!r}"
        self.fingerprint = f"{name}/{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        self.space = VectorSpace(name, method.side**2, self.fingerprint, kind="bits", similarity="hamming")
        self.input_size = _INPUT_SIZE

    def __repr__(self) -> str:
        return f"Hashing({self.spec!r}, {self.method!r})"

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return the small grey picture, (H, W) uint8."""
        from PIL import Image as Pillow

        grey = Pillow.fromarray(np.ascontiguousarray(image)).convert("L")
        return np.asarray(grey.resize(self.method.size, Pillow.Resampling.LANCZOS))

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, ceil(bits / 8)) packed uint8."""
        if not len(prepared):
            return cast(Vectors, np.empty((0, self.space.width), np.uint8))
        return cast(Vectors, np.packbits(self.method.describe(np.stack(prepared)), axis=1))

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, ceil(bits / 8)) packed uint8."""
        return self.embed_prepared([self.prepare(image) for image in images])
