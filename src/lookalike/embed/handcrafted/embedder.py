"""What makes an embedder of descriptors."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...types import Image, Vectors, VectorSpace
from ..blas import one_blas_thread
from ..unit import unit
from . import canvas
from .canvas import Views

__all__ = ["Descriptor", "Handcrafted", "Part", "alone"]

CHUNK = 32  # images described at once: their planes stay within the processor's cache
WORTH_A_THREAD = 8  # images; fewer are done before a second thread has begun


class Descriptor(Protocol):
    """One formula from pixels to rows. Its repr names all of its constants, since they enter the fingerprint."""

    @property
    def dim(self) -> int:
        """Return the components of a row."""
        ...

    def describe(self, views: Views) -> npt.NDArray[np.float32]:
        """Return (B, dim), rows of at most unit norm."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """A descriptor and its share of the score, in pictures full of detail and in pictures of plain areas."""

    descriptor: Descriptor
    in_photographs: float
    in_pictograms: float


class Handcrafted:
    """Several descriptors in one vector, whose dot product is a weighted mean of theirs.

    The shares of the parts depend on the picture: outlines tell drawings apart and colours tell photographs apart, and
    how plain a picture's areas are (``Views.flatness``, f in [0, 1]) tells one from the other. With
    w = (1 - f) * in_photographs + f * in_pictograms, each part enters the vector times sqrt(w), so two pictures are
    compared with the geometric mean of what each of them asks for.

    Attributes:
        spec: the name in the table; ``create(spec)`` makes the same embedder again.
        space: float rows of unit norm; the fingerprint is the name and a hash of all constants.
        input_size: 128.
        parts: the descriptors and their shares.
    """

    def __init__(self, name: str, parts: Sequence[Part]) -> None:
        self.spec = name
        self.parts = tuple(parts)
        text = ";".join([canvas.CONSTANTS, *map(repr, self.parts)])
        self.fingerprint = f"{name}/{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        self.space = VectorSpace(name, sum(part.descriptor.dim for part in self.parts), self.fingerprint)
        self.input_size = canvas.SIDE

    def __repr__(self) -> str:
        return f"Handcrafted({self.spec!r}, {self.parts!r})"

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return the image at 128 x 128 pixels, with the shape that it had."""
        return canvas.prepare(image)

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, D) unit rows of prepared images."""
        if not len(prepared):
            return np.zeros((0, self.space.dim), np.float32)
        cores = os.cpu_count() or 1
        # numpy works on one core; chunks side by side keep the others busy, also while other threads decode.
        size = min(CHUNK, max(WORTH_A_THREAD, -(-len(prepared) // cores)))
        chunks = [prepared[start : start + size] for start in range(0, len(prepared), size)]
        if len(chunks) == 1:
            described = [self.describe(chunks[0])]
        else:
            pool = ThreadPoolExecutor(min(cores, len(chunks)), thread_name_prefix="lookalike-describe")
            with one_blas_thread(), pool:
                described = list(pool.map(self.describe, chunks))
        return unit(np.concatenate(described), source=self.spec)

    def describe(self, prepared: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """Return (B, D) rows, not yet of unit norm, of at most CHUNK prepared images, on this thread alone."""
        views = Views(prepared)
        blocks = []
        for part in self.parts:
            share = part.in_photographs + views.flatness * (part.in_pictograms - part.in_photographs)
            blocks.append(part.descriptor.describe(views) * np.sqrt(share)[:, None])
        return np.concatenate(blocks, axis=1)

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, D) unit rows."""
        return self.embed_prepared([self.prepare(image) for image in images])


def alone(name: str, descriptor: Descriptor) -> Handcrafted:
    """Return the embedder of a single descriptor."""
    return Handcrafted(name, [Part(descriptor, 1.0, 1.0)])
