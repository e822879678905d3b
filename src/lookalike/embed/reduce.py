"""Fewer dimensions: any embedder, then principal components and whitening.

``reduce:64:EMBEDDER`` learns the axes from the images of the collection; ``reduce:FILE.npz:EMBEDDER`` takes axes that
were learned elsewhere, from labels say (``recipes/universal64``): arrays ``mean`` (D,) and ``projection`` (d, D).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, ModelError, NoSuchFile
from ..protocols import Embedder, Prepares
from ..types import Image, Vectors, VectorSpace
from .specs import complete, inner, spec_of, without_parentheses
from .whitening import Whitening, fit_pca

__all__ = ["LearnsToReduce", "Reduced", "open_reduced", "read_whitening", "save_whitening"]

_BATCH = 32
_POWER = 0.25  # of the variance: between turning (0) and whitening (0.5); see benchmarks/universal.py
_SHRINKAGE = 0.0


class Reduced:
    """An embedder followed by a whitening; complete.

    Attributes:
        spec: what ``create`` makes the same of again; empty where that cannot be said.
        space: float rows of unit norm, of the whitening's dimension.

    Args:
        embedder: what makes a vector of a picture.
        whitening: what makes it short.
        spec: of this one.

    Raises:
        BadInput: an embedder of bits, or a whitening of another number of components.
    """

    def __init__(self, embedder: Embedder, whitening: Whitening, *, spec: str = "") -> None:
        _check(embedder)
        if len(whitening.mean) != embedder.space.dim:
            raise BadInput(
                f"the whitening takes vectors of {len(whitening.mean)} components, and those of "
                f"{embedder.space.name!r} have {embedder.space.dim}.",
                hint="Use the embedder that it was learned with.",
            )
        self.embedder = embedder
        self.whitening = whitening
        self.spec = spec
        self.fingerprint = f"reduce/1/{whitening.fingerprint}/{embedder.fingerprint}"
        self.space = VectorSpace(f"{embedder.space.name}-{whitening.dim}d", whitening.dim, self.fingerprint)
        self.input_size = embedder.input_size

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.embedder!r}, {self.whitening.dim})"

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return what the embedder takes of one image."""
        return _prepare(self.embedder, image)

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, d) unit rows of prepared images."""
        rows = _rows(self.embedder, prepared)
        # Row by row: one product of the whole batch would round differently with its size.
        shortened = [self.whitening.apply(row[None]) for row in rows]
        return np.concatenate([np.zeros((0, self.space.dim), np.float32), *shortened])

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, d) unit rows."""
        return self.embed_prepared([self.prepare(image) for image in images])


class LearnsToReduce:
    """An embedder whose shorter vectors are learned from images; keeps the ``Learns`` protocol.

    Attributes:
        spec: what makes it as it was before it learned.
        space: float rows of ``dim`` components; axes that too few images leave untaught are 0.

    Args:
        embedder: what makes a vector of a picture.
        dim: how many components are kept, from 1 to the embedder's.
        spec: of the embedder, where it has none of its own.
        learned: the axes; None: not yet.
    """

    def __init__(self, embedder: Embedder, dim: int, *, spec: str = "", learned: Whitening | None = None) -> None:
        _check(embedder)
        if not 1 <= dim <= embedder.space.dim:
            raise BadInput(f"{embedder.space.name!r} has {embedder.space.dim} components: {dim} cannot be kept.")
        self.embedder = embedder
        self.dim = dim
        self._given = spec
        self._learned = learned
        made_by = spec_of(embedder, spec)
        self.spec = f"reduce:{dim}:{inner(made_by)}" if made_by else ""
        self.fingerprint = f"reduce/1/pca-{_POWER:g}-{_SHRINKAGE:g}/{dim}/{embedder.fingerprint}"
        if learned is not None:
            self.fingerprint += f"/{learned.fingerprint}"
        self.space = VectorSpace(f"{embedder.space.name}-{dim}d", dim, self.fingerprint)
        self.input_size = embedder.input_size

    def __repr__(self) -> str:
        return f"LearnsToReduce({self.embedder!r}, {self.dim}, {'fitted' if self.fitted else 'not fitted'})"

    @property
    def fitted(self) -> bool:
        """Return whether it has learned, and so can embed."""
        return self._learned is not None

    def fit(self, images: Sequence[Image], seed: int) -> LearnsToReduce:
        """Return an embedder with axes learned from the images; nothing in it is random, so the seed has no effect.

        Raises:
            BadInput: fewer than two images, or images that are all the same.
        """
        rows = np.concatenate(
            [self.embedder.embed(images[start : start + _BATCH]) for start in range(0, max(len(images), 1), _BATCH)]
        )
        return self._with(_axes(rows, self.dim))

    def state(self) -> bytes:
        """Return what was learned, as a ``.npz`` archive."""
        out = io.BytesIO()
        save_whitening(out, self._taught())
        return out.getvalue()

    def from_state(self, state: bytes) -> LearnsToReduce:
        """Return the embedder that ``state`` was taken of."""
        return self._with(read_whitening(io.BytesIO(state)))

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return what the embedder takes of one image."""
        return _prepare(self.embedder, image)

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, dim) unit rows of prepared images."""
        return Reduced(self.embedder, self._taught()).embed_prepared(prepared)

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, dim) unit rows.

        Raises:
            BadInput: nothing was learned yet.
        """
        return self.embed_prepared([self.prepare(image) for image in images])

    def _with(self, learned: Whitening) -> LearnsToReduce:
        return LearnsToReduce(self.embedder, self.dim, spec=self._given, learned=learned)

    def _taught(self) -> Whitening:
        if self._learned is None:
            raise BadInput(
                f"{self.spec!r} has not learned from any images yet.",
                hint=f"Call fit(images, seed), or `lookalike index FOLDER --embedder {self.spec}`.",
            )
        return self._learned


def save_whitening(file: str | Path | io.BytesIO, whitening: Whitening) -> None:
    """Write a whitening as ``reduce:FILE.npz:EMBEDDER`` reads it."""
    np.savez(file, mean=whitening.mean, projection=whitening.projection)


def read_whitening(file: str | Path | io.BytesIO) -> Whitening:
    """Read a whitening from a ``.npz`` archive with ``mean`` (D,) and ``projection`` (d, D).

    Raises:
        NoSuchFile: there is none. ModelError: it is no such archive; pickled objects are not loaded.
    """
    try:
        with np.load(file, allow_pickle=False) as held:
            return Whitening(held["mean"], held["projection"])
    except FileNotFoundError:
        raise NoSuchFile(f"no such file of a whitening: {file}.") from None
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ModelError(
            f"{file} cannot be read as a whitening: {error}.",
            hint="It needs the arrays mean (D,) and projection (d, D).",
        ) from error


def open_reduced(rest: str, *, device: str = "auto") -> Reduced | LearnsToReduce:
    """Return fewer dimensions of an embedder: ``reduce:64:EMBEDDER`` learns them from the collection's images.

    Raises:
        BadInput: the specification is not complete, names an embedder of bits or one that learns itself, or keeps more
            components than there are. NoSuchFile, ModelError: the file of a whitening cannot be used.
    """
    from . import create

    path, found, name = rest.partition(".npz:")
    dim = "" if found else rest.partition(":")[0]
    name = without_parentheses(name if found else rest.partition(":")[2])
    if not name or not (found or dim.isdecimal()):
        raise BadInput(
            f"'reduce:{rest}' does not say how many dimensions of which embedder.",
            hint="Write reduce:64:EMBEDDER, or reduce:FILE.npz:EMBEDDER.",
        )
    file = Path(f"{path}.npz").expanduser().absolute()
    whitening = read_whitening(file) if found else None
    made = complete(create(name, device=device), name, "in front of a reduction")
    if whitening is None:
        return LearnsToReduce(made, int(dim), spec=name)
    return Reduced(made, whitening, spec=f"reduce:{file}:{inner(spec_of(made, name))}")


def _axes(rows: Vectors, dim: int) -> Whitening:
    """Return the leading axes of rows; where fewer vary than are wanted, the rest are 0."""
    if len(rows) < 2:
        raise BadInput(f"axes are learned from at least 2 images, got {len(rows)}.", hint="Index a folder of many.")
    found = fit_pca(rows, power=_POWER, shrinkage=_SHRINKAGE)
    projection = np.zeros((dim, rows.shape[1]), np.float32)
    projection[: min(dim, found.dim)] = found.projection[:dim]
    return Whitening(found.mean, projection)


def _check(embedder: Embedder) -> None:
    if embedder.space.similarity != "cosine":
        raise BadInput(
            f"the vectors of {embedder.space.name!r} have no axes: they are compared by {embedder.space.similarity}.",
            hint="Reduce an embedder of unit vectors, such as builtin.",
        )


def _prepare(embedder: Embedder, image: Image) -> npt.NDArray[Any]:
    return embedder.prepare(image) if isinstance(embedder, Prepares) else image


def _rows(embedder: Embedder, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
    return embedder.embed_prepared(prepared) if isinstance(embedder, Prepares) else embedder.embed(prepared)
