"""What makes an embedder of a basis that is learned from a collection's own images."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ...types import Image, Vectors, VectorSpace
from ..unit import unit

__all__ = ["Arrays", "Basis", "Floats", "LearnedEmbedder"]

Floats = npt.NDArray[np.float32]
Arrays = Mapping[str, Floats]  # what was learned, by name

_FEWEST = 2  # images


class Basis(Protocol):
    """One way of learning. Its repr names all of its constants, since they enter the fingerprint."""

    @property
    def side(self) -> int:
        """Return the side of the small pictures that it learns from, in pixels."""
        ...

    @property
    def grey(self) -> bool:
        """Return whether they are grey, (B, side, side), or of colour, (B, side, side, 3); uint8 both."""
        ...

    @property
    def dim(self) -> int:
        """Return the components of a row; those that too few images leave untaught are 0."""
        ...

    def learn(self, pictures: npt.NDArray[np.uint8], rng: np.random.Generator) -> Arrays:
        """Return what the pictures teach."""
        ...

    def describe(self, pictures: npt.NDArray[np.uint8], learned: Arrays) -> npt.NDArray[Any]:
        """Return (B, dim), of any norm."""
        ...

    def draw(self, learned: Arrays) -> npt.NDArray[Any]:
        """Return what was learned as K pictures, (K, h, w) or (K, h, w, 3), of any range."""
        ...


class LearnedEmbedder:
    """An embedder that must see images before it embeds; keeps the ``Learns`` protocol.

    Attributes:
        spec: the name in the table, which makes the embedder as it was before it learned.
        space: float rows of unit norm; the fingerprint names the constants and what was learned.
        input_size: twice the side of the small pictures.
        basis: the way of learning.
    """

    def __init__(self, name: str, basis: Basis, learned: Arrays | None = None) -> None:
        self.spec = name
        self.basis = basis
        self._learned = None if learned is None else dict(learned)
        self.fingerprint = f"{name}/{hashlib.sha256(f'box, 1;{basis!r}'.encode()).hexdigest()[:12]}"
        if self._learned is not None:
            self.fingerprint += f"-{self._digest()}"
        self.space = VectorSpace(name, basis.dim, self.fingerprint)
        self.input_size = 2 * basis.side

    def __repr__(self) -> str:
        return f"LearnedEmbedder({self.spec!r}, {self.basis!r}, {'fitted' if self.fitted else 'not fitted'})"

    @property
    def fitted(self) -> bool:
        """Return whether it has learned, and so can embed."""
        return self._learned is not None

    def fit(self, images: Sequence[Image], seed: int) -> LearnedEmbedder:
        """Return an embedder that has learned from the images; the same ones and the same seed teach the same.

        Raises:
            BadInput: fewer than two images.
        """
        if len(images) < _FEWEST:
            raise BadInput(
                f"{self.spec!r} learns from at least {_FEWEST} images, got {len(images)}.",
                hint="Index a folder of many images.",
            )
        pictures = np.stack([self.prepare(image) for image in images])
        learned = self.basis.learn(pictures, np.random.default_rng(seed))
        return LearnedEmbedder(self.spec, self.basis, learned)

    def state(self) -> bytes:
        """Return what was learned, as a ``.npz`` archive.

        Raises:
            BadInput: nothing was learned yet.
        """
        out = io.BytesIO()
        np.savez_compressed(out, **cast(Any, self._taught()))
        return out.getvalue()

    def from_state(self, state: bytes) -> LearnedEmbedder:
        """Return the embedder that ``state`` was taken of."""
        with np.load(io.BytesIO(state), allow_pickle=False) as held:
            return LearnedEmbedder(self.spec, self.basis, {name: held[name] for name in held.files})

    def pictures(self) -> npt.NDArray[np.uint8]:
        """Return what was learned as pictures, (K, h, w, 3), each stretched to 0..255."""
        drawn = np.asarray(self.basis.draw(self._taught()), np.float64)
        if drawn.ndim == 3:
            drawn = np.repeat(drawn[..., None], 3, axis=3)
        low, high = drawn.min(axis=(1, 2, 3), keepdims=True), drawn.max(axis=(1, 2, 3), keepdims=True)
        return np.asarray((drawn - low) / np.where(high > low, high - low, 1) * 255 + 0.5, np.uint8)

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return the small picture: means over boxes, whatever the shape."""
        from PIL import Image as Pillow

        picture = Pillow.fromarray(np.ascontiguousarray(image)).convert("L" if self.basis.grey else "RGB")
        return np.asarray(picture.resize((self.basis.side,) * 2, Pillow.Resampling.BOX))

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, D) unit rows of small pictures."""
        learned = self._taught()
        if not len(prepared):
            return np.empty((0, self.space.dim), np.float32)
        return unit(self.basis.describe(np.stack(prepared), learned), source=self.spec)

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, D) unit rows.

        Raises:
            BadInput: nothing was learned yet.
        """
        return self.embed_prepared([self.prepare(image) for image in images])

    def _taught(self) -> Arrays:
        if self._learned is None:
            raise BadInput(
                f"{self.spec!r} has not learned from any images yet.",
                hint=f"Call fit(images, seed), or `lookalike index FOLDER --embedder {self.spec}`.",
            )
        return self._learned

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for name, values in sorted(self._taught().items()):
            digest.update(f"{name} {values.dtype.str} {values.shape} ".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:12]
