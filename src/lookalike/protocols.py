"""The contracts between rooms. Implementations do not inherit; ``lookalike.testing`` checks that they keep them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from .types import (
    Candidates,
    Image,
    Match,
    Metadata,
    Record,
    Region,
    Regions,
    Rows,
    Segment,
    Stamp,
    Vectors,
    VectorSpace,
)

__all__ = [
    "Classifier",
    "Cuts",
    "Detector",
    "Embedder",
    "Fittable",
    "Index",
    "Learns",
    "Matcher",
    "NewRecord",
    "Pooling",
    "Prepares",
    "Regional",
    "Searcher",
    "Snapshot",
    "Store",
    "TextEmbedder",
]


class Detector(Protocol):
    """Finds the subject of a picture; ``detect`` has the table. Thread-safe."""

    @property
    def name(self) -> str:
        """Return what it is called in the name of a vector space."""
        ...

    @property
    def spec(self) -> str:
        """Return what makes the same detector again."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return what names its weights and numbers."""
        ...

    def detect(self, image: Image) -> Sequence[Region]:
        """Return boxes in pixels of the image, best first; empty where nothing stands out."""
        ...


@runtime_checkable
class Cuts(Detector, Protocol):
    """A detector that makes the pictures of what it finds itself, such as without their background."""

    def cuts(self, image: Image) -> Sequence[tuple[Region, Image]]:
        """Return what ``detect`` does, each with its picture (y1 - y0, x1 - x0, 3)."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns images into vectors. Pure: the same images and fingerprint give the same vectors, in any batch."""

    @property
    def space(self) -> VectorSpace: ...

    @property
    def fingerprint(self) -> str:
        """Equals ``space.fingerprint``: it names the weights and the preprocessing, not the decoder."""
        ...

    @property
    def input_size(self) -> int:
        """Return the side in pixels that the image is resized to; what lets a decoder work at reduced scale."""
        ...

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, D): rows in the order of ``images``, each of unit norm; images may differ in size.

        In a space of bits they are packed, (B, ceil(D / 8)) uint8.
        """
        ...


@runtime_checkable
class Prepares(Protocol):
    """An embedder whose work on a single image can run in the decoding threads, ahead of the model.

    ``embed(images)`` equals ``embed_prepared([prepare(i) for i in images])``.
    """

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Resize and lay out one image; thread-safe."""
        ...

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors: ...


@runtime_checkable
class Regional(Protocol):
    """An embedder that also makes vectors of parts of an image; a collection keeps them beside that of the whole."""

    def views(self, image: Image) -> tuple[Sequence[Region], npt.NDArray[Any]]:
        """Return the R parts, in pixels of ``image``, and (1 + R,) views: the whole and each part; thread-safe."""
        ...

    def embed_views(self, prepared: Sequence[npt.NDArray[Any]]) -> list[Vectors]:
        """Return for each image (1 + R, D): the vector that ``embed`` gives of the whole, then those of the parts."""
        ...


@runtime_checkable
class Fittable(Protocol):
    """What must learn from a collection's own images before it embeds: bases, whitening, vocabularies, calibration."""

    def fit(self, images: Sequence[Image], seed: int) -> Embedder:
        """Return an embedder with what was learned; the same images and seed teach the same.

        What was learned lives in the collection and is named in the embedder's fingerprint.
        """
        ...


@runtime_checkable
class Learns(Fittable, Protocol):
    """A ``Fittable`` embedder whose lessons a collection can keep."""

    @property
    def fitted(self) -> bool:
        """Return whether it has learned, and so can embed."""
        ...

    def state(self) -> bytes:
        """Return what was learned."""
        ...

    def from_state(self, state: bytes) -> Embedder:
        """Return the embedder that ``state`` was taken of."""
        ...


class Classifier(Protocol):
    """Says how much an image is of one class, such as unsafe; ``classify`` has the table. Thread-safe."""

    @property
    def sees(self) -> Literal["metadata", "vector", "image"]:
        """Return what ``scores`` takes: metadata mappings, (B, D) stored vectors, or pictures."""
        ...

    @property
    def input_size(self) -> int:
        """Return the pixels that a decoder should keep of a picture's shorter side; 0 where none is looked at."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return what names all that decides over the scores."""
        ...

    def scores(self, given: Any) -> npt.NDArray[np.float64]:
        """Return (B,), higher is more of it, probabilities in [0, 1] where a model gives them; NaN: not known."""
        ...


class Matcher(Protocol):
    """Looks for one picture in another, by their pixels; ``local`` has the table. Thread-safe.

    It checks pairs that a search by vectors has found: slow, and sure where vectors only guess.
    """

    @property
    def detail(self) -> int:
        """Return the pixels of a picture's longer side that are looked at, so that it may be decoded reduced."""
        ...

    def match(self, query: Image, candidate: Image, *, original: tuple[int, int] | None = None) -> Match | None:
        """Return the best place of ``query`` in ``candidate``, None where there can be none.

        ``original`` is the (width, height) of the picture that ``candidate`` is a reduced copy of, which the box then
        refers to; None: the candidate itself.
        """
        ...


class Pooling(Protocol):
    """Makes one row an image of what a network gives before its last step; ``embed.pooling`` has the table."""

    @property
    def takes(self) -> str:
        """Return ``map`` (B, C, H, W), ``tokens`` (B, T, C), or ``maps`` or ``rows``: several of them."""
        ...

    def __call__(self, features: Any, /) -> Vectors:
        """Return (B, D) float32, not necessarily of unit norm."""
        ...


@runtime_checkable
class TextEmbedder(Protocol):
    """An embedder that also turns words into vectors of its images' space."""

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Return (B, D): rows in the order of ``texts``, each of unit norm, to be compared with images' vectors."""
        ...


class Index(Protocol):
    """Holds (row id, vector) pairs of one space and answers nearest-neighbour queries."""

    @property
    def space(self) -> VectorSpace: ...

    def __len__(self) -> int: ...

    def add(self, ids: Rows, vectors: Vectors) -> None:
        """Add rows; an id that is there already gets the new vector."""
        ...

    def remove(self, ids: Rows) -> int:
        """Remove rows and return how many were there."""
        ...

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        """Return the k best of each query, restricted to ``allowed`` row ids when given."""
        ...


class Searcher(Protocol):
    """What a later stage may ask of the search so far; never the collection itself."""

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates: ...

    def vectors(self, ids: Rows) -> Vectors: ...


class NewRecord(Protocol):
    """What the store is given of one image; ``images.Item`` plus what was learnt by reading it."""

    @property
    def id(self) -> str: ...
    @property
    def root(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def stamp(self) -> Stamp | None: ...
    @property
    def content_hash(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...


class Snapshot(Protocol):
    """The vectors of one space at one moment, in memory or mapped from a file."""

    @property
    def space(self) -> VectorSpace: ...

    @property
    def version(self) -> int:
        """Return the store's version that it shows."""
        ...

    def __len__(self) -> int: ...

    @property
    def segments(self) -> Sequence[Segment]:
        """Return disjoint parts that together are all the vectors; what an index searches without copying."""
        ...

    @property
    def rows(self) -> Rows:
        """Return (N,) row ids, ascending."""
        ...

    @property
    def vectors(self) -> Vectors:
        """Return (N, D) in the order of ``rows``; a copy when there is more than one segment."""
        ...


class Store(Protocol):
    """The truth: records, metadata and vectors. Indexes are derived from it and can always be rebuilt.

    Every writing method is one transaction: after it returns, the change survives ``kill -9``.
    Writing methods raise ``CollectionBusy`` while another process holds the writer's lock.
    """

    @property
    def path(self) -> Path: ...

    @property
    def version(self) -> int:
        """A number that grows with every committed change, in whichever process; what caches compare."""
        ...

    def close(self) -> None: ...

    def writing(self, *, wait_s: float = 0.0) -> AbstractContextManager[None]:
        """Hold the writer's lock, waiting for it at most so long; may be nested within one store."""
        ...

    def setting(self, key: str, default: str = "") -> str: ...

    def set_setting(self, key: str, value: str) -> None: ...

    def spaces(self) -> Mapping[str, VectorSpace]: ...

    def add_space(self, space: VectorSpace) -> None: ...

    def put(
        self,
        records: Sequence[NewRecord],
        vectors: Mapping[str, Vectors],
        *,
        regions: Mapping[str, Regions] | None = None,
        indexed_ns: int | None = None,
    ) -> Rows:
        """Add or replace records by id, with their vectors by space name; a replaced record keeps its row.

        A record whose content has changed loses its vectors of the spaces that are not given. Of an id that comes
        twice the last wins. ``regions`` holds the parts of the images in spaces whose ``vectors`` are given; what there
        was of them before is replaced. ``indexed_ns`` is the time before the first of them was read; None means now.
        """
        ...

    def remove(self, rows: Sequence[int] | Rows) -> int: ...

    def touch(self, stamps: Mapping[int, Stamp], *, indexed_ns: int | None = None) -> None:
        """Note new sizes and times of files whose content is the same; row -> stamp."""
        ...

    def get(self, ids: Sequence[str]) -> list[Record | None]: ...

    def get_rows(self, rows: Sequence[int] | Rows) -> list[Record | None]: ...

    def known(self, sources: Sequence[str]) -> list[Record | None]:
        """Look records up by where their bytes are, under whichever root they were indexed."""
        ...

    def under(self, root: str) -> Iterator[tuple[str, int]]:
        """Yield (source, row) of every record below a folder or archive, or at that very path."""
        ...

    def find_hash(self, hashes: Sequence[str], space: str) -> dict[str, int]:
        """Map content hashes to a row whose vector in ``space`` is of those very bytes; unknown ones are left out."""
        ...

    def records(self, *, after: int = -1) -> Iterator[Record]:
        """Yield every record whose row is above ``after``, by ascending row, without holding all of them in memory."""
        ...

    def metadata(self) -> Iterator[tuple[int, Metadata]]:
        """Yield (row, metadata) of every record by ascending row."""
        ...

    def column(self, name: str) -> Iterator[tuple[int, Any]]:
        """Yield (row, value) of every record whose metadata has a value in the column, by ascending row."""
        ...

    def rows(self) -> Iterator[int]:
        """Yield the row of every record, ascending."""
        ...

    def same_bytes(self, content_hash: str) -> Sequence[int]:
        """Return the rows of the records with this content hash, ascending."""
        ...

    def find_words(self, words: str, *, without: str = "", limit: int | None = None) -> Sequence[tuple[int, float]]:
        """Return (row, score) of the records that have any of the words, best first; scores in (0, 1), own scale.

        Looked at are ids, file names, and texts and numbers of the metadata.
        """
        ...

    def count(self) -> int: ...

    def vectors(self, space: str, rows: Sequence[int] | Rows) -> Vectors: ...

    def snapshot(self, space: str) -> Snapshot: ...

    def regions(self, space: str, rows: Sequence[int] | Rows) -> Regions:
        """Return the parts of the images in ``rows``, ascending by row, each image's in the order they were put."""
        ...

    def region_snapshot(self, space: str) -> Snapshot | None:
        """Return the vectors of all parts of images; None where the space has never had any.

        Its ``rows`` are ``row * MOST_REGIONS + n``: the n-th part, from 0, of the image in ``row``.
        """
        ...

    def refresh_derived(self) -> None:
        """Bring the files that are derived from the store up to date; for the end of a long run of writing."""
        ...

    def rebase(self, old: str, new: str) -> int:
        """Say that what lay under ``old`` now lies under ``new``; return how many records moved."""
        ...

    def backup(self, target: Path) -> None: ...
