"""The values that flow between stages: small, frozen, validated at birth, without logic.

Letters used for shapes all over the project: B batch, D dimension, Q queries, N stored, K top-k, H height, W width.
Higher is more alike, everywhere. Ties break by lower row id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .errors import BadInput, BadShape

__all__ = [
    "MOST_REGIONS",
    "Bits",
    "Candidates",
    "Group",
    "Hit",
    "Image",
    "Match",
    "Metadata",
    "Query",
    "QueryItem",
    "Record",
    "Region",
    "Regions",
    "Rows",
    "Segment",
    "Similarity",
    "SpaceKind",
    "Stamp",
    "VectorSpace",
    "Vectors",
]

Image = npt.NDArray[np.uint8]  # (H, W, 3), sRGB, 0..255, EXIF orientation applied, alpha composited on white
Vectors = npt.NDArray[np.float32]  # (B, D), C-contiguous; each row of unit L2 norm unless its space says otherwise
# (B, ceil(D / 8)): D bits packed as by np.packbits, unused ones 0. What ``Vectors`` are in a space of bits: functions
# that take vectors of either kind are typed by the common one.
Bits = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]  # (B,), row ids, never reused
Metadata = Mapping[str, Any]  # JSON values only

MOST_REGIONS = 1024  # of one image in one space

SpaceKind = Literal["float", "bits", "sparse"]
Similarity = Literal["cosine", "l2", "hamming", "kernel"]


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """What a stored vector means. Scores of one space are never compared with another's.

    Attributes:
        name: the versioned name of the embedder, e.g. ``builtin-1``; unique within a collection.
        dim: the number of components (of bits, for ``kind="bits"``), > 0.
        fingerprint: names the weights and the preprocessing; two spaces with one fingerprint are the same space.
        kind: ``float`` rows of float32, ``bits`` packed in uint8, ``sparse`` words.
        similarity: ``cosine`` in [-1, 1] (rows of unit norm), ``l2`` minus the squared distance,
            ``hamming`` 1 - distance / bits, ``kernel`` the kernel's own value in [0, 1].
    """

    name: str
    dim: int
    fingerprint: str
    kind: SpaceKind = "float"
    similarity: Similarity = "cosine"

    def __post_init__(self) -> None:
        if self.dim <= 0:
            raise BadShape(f"a vector space needs a positive dimension, got {self.dim}")
        if not self.name or not self.fingerprint:
            raise BadInput(f"a vector space needs a name and a fingerprint, got {self.name!r} and {self.fingerprint!r}")
        if (self.kind == "bits") != (self.similarity == "hamming"):
            raise BadInput(f"bits are compared by hamming, and nothing else is; got {self.kind}/{self.similarity}")

    @property
    def width(self) -> int:
        """Return how many values a stored row has: ``dim``, or the bytes that so many bits take."""
        return -(-self.dim // 8) if self.kind == "bits" else self.dim

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the type of the values: little-endian float32, or uint8."""
        return np.dtype("u1") if self.kind == "bits" else np.dtype("<f4")

    @property
    def unused(self) -> np.uint8:
        """Return the mask of the bits of a row's last byte that are not part of it, and so must be 0."""
        return np.uint8(2 ** (-self.dim % 8) - 1 if self.kind == "bits" else 0)

    @property
    def row_bytes(self) -> int:
        """Return the bytes of one row."""
        return self.width * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Region:
    """A box in pixels of the original image; ``x1`` and ``y1`` are exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int
    score: float = 1.0  # [0, 1]
    label: str = ""

    def __post_init__(self) -> None:
        if not (0 <= self.x0 < self.x1 and 0 <= self.y0 < self.y1):
            raise BadShape(f"a region needs 0 <= x0 < x1 and 0 <= y0 < y1, got {self.x0, self.y0, self.x1, self.y1}")


@dataclass(frozen=True, slots=True)
class Match:
    """Where one picture was found in another, and how well.

    Attributes:
        region: the box in pixels of the picture looked through; its score is ``score``, 0 where that is negative.
        score: the matcher's own, higher is more alike; of template matching [-1, 1] for ``ccoeff``, else [0, 1].
        scale: how large the picture looked for appears, 1 being its own size in pixels.
        rotation: degrees, counter-clockwise.
    """

    region: Region
    score: float
    scale: float = 1.0
    rotation: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Parts of images, each with a vector of its own beside that of its whole image.

    Attributes:
        owners: int64 (R,), never falling: the row of each one's image; of what is put into a store, the position of its
            image among the records. An image has at most MOST_REGIONS.
        boxes: (R,), in pixels of the upright original.
        vectors: (R, D), of the same space as those of the whole images.
    """

    owners: Rows
    boxes: tuple[Region, ...]
    vectors: Vectors

    def __post_init__(self) -> None:
        if not len(self.owners) == len(self.boxes) == len(self.vectors):
            raise BadShape(
                f"{len(self.owners)} owners, {len(self.boxes)} boxes and {len(self.vectors)} vectors do not fit."
            )
        if (np.diff(self.owners) < 0).any():
            raise BadShape("the regions of one image follow one another: owners never fall")
        if len(self.owners) and int(np.unique(self.owners, return_counts=True)[1].max()) > MOST_REGIONS:
            raise BadInput(f"an image has at most {MOST_REGIONS} regions in a space")

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells cheaply whether a file has changed."""

    size: int  # bytes
    mtime_ns: int  # nanoseconds since the epoch, as the file system gives them


@dataclass(frozen=True, slots=True)
class Record:
    """One stored image: everything but its vectors.

    Attributes:
        row: int64, never reused; what indexes and tie-breaking use.
        id: unique, stable; the caller's, or the POSIX path relative to the indexed root.
        source: where the bytes are: an absolute path, a URL or ``archive.tar!/member``. Undecodable bytes of a
            file name are surrogate escapes, so ``os.fsencode`` gives the name back.
        root: the folder or archive it was indexed from; empty for a URL.
        stamp: size and time of the file when it was read; None for a URL.
        content_hash: sha256 of the bytes, 64 hex digits; empty for imported vectors without a file.
        width, height: pixels of the decoded, upright image; 0 when unknown.
        indexed_ns: nanoseconds since the epoch, by this machine's clock, just before the bytes were read.
    """

    row: int
    id: str
    source: str
    root: str = ""
    stamp: Stamp | None = None
    content_hash: str = ""
    width: int = 0
    height: int = 0
    metadata: Metadata = field(default_factory=dict)
    indexed_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A run of stored vectors, often mapped from a file; some of them may be out of date.

    Attributes:
        rows: (N,) row ids, strictly ascending.
        vectors: (N, D), read-only.
        dead: positions in ``rows``, strictly ascending, that have been removed or replaced and do not count.
    """

    rows: Rows
    vectors: Vectors
    dead: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.rows) - len(self.dead)

    def alive(self) -> tuple[Rows, Vectors]:
        """Return the rows and vectors that count; a copy when some are dead."""
        if not len(self.dead):
            return self.rows, self.vectors
        return np.delete(self.rows, self.dead), np.delete(self.vectors, self.dead, axis=0)


QueryKind = Literal["path", "url", "id", "stdin", "text", "image", "vector"]


@dataclass(frozen=True, slots=True, eq=False)
class QueryItem:
    """One part of a query. ``payload`` holds the pixels or the vector of kinds ``image`` and ``vector``."""

    kind: QueryKind
    value: str
    weight: float = 1.0  # negative: less of this
    payload: npt.NDArray[Any] | bytes | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.weight) or self.weight == 0:
            raise BadInput(f"the weight of {self.value!r} must be a finite number other than 0, got {self.weight}")


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for: one item or several, with weights."""

    items: tuple[QueryItem, ...]

    def __post_init__(self) -> None:
        if not self.items:
            raise BadInput("a query needs at least one item")


@dataclass(frozen=True, slots=True)
class Group:
    """The images that share a value of a metadata column, of which one stands for all."""

    by: str  # the column
    value: Any  # a JSON value; None: the image has none, and is a group of its own
    size: int  # images of the collection with this value, > 0


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result; rank counts from 1.

    ``found_by`` is ``vector``, ``text`` (by words of its id, name or metadata) or ``both``. ``region`` is the part of
    the image that is most alike, in a space that holds regions and where it is more alike than the whole image.
    """

    rank: int
    id: str
    row: int
    source: str
    score: float
    metadata: Metadata = field(default_factory=dict)
    relevance: float | None = None  # the score calibrated to a probability, where the collection is calibrated
    found_by: Literal["vector", "text", "both"] = "vector"
    group: Group | None = None  # where results were asked for by group
    width: int = 0  # pixels of the upright image; 0 when unknown
    height: int = 0
    content_hash: str = ""  # sha256 of its bytes, in hex; empty when unknown
    region: Region | None = None  # pixels of the upright original
    verified: float | None = None  # how well the query's picture was found inside, where that was asked for


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Neighbours of Q queries. Unused slots hold row -1 and score -inf.

    Attributes:
        rows: int64 (Q, K).
        scores: float32 (Q, K), non-increasing along K; equal scores are ordered by lower row.
    """

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.rows.shape != self.scores.shape:
            raise BadShape(f"rows and scores must share a shape (Q, K), got {self.rows.shape} and {self.scores.shape}")

    def __len__(self) -> int:
        return len(self.rows)

    def pairs(self, query: int) -> Sequence[tuple[int, float]]:
        """Return the (row, score) pairs of one query, best first, without the unused slots."""
        found = zip(self.rows[query].tolist(), self.scores[query].tolist(), strict=True)
        return [(row, score) for row, score in found if row >= 0]
