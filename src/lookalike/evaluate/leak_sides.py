"""The two sides of a leak check: a collection, or images that are in none; what each offers to be compared by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..collection import Collection
from ..errors import ImageError
from ..images import read_source
from ..protocols import Snapshot
from ..store.snapshot import VectorSnapshot
from ..types import Segment, Vectors, VectorSpace

__all__ = ["Loose", "Side", "Stored"]

_AT_ONCE = 2000  # records fetched at a time


class Side(Protocol):
    """Images by row: their vectors, the hash of their bytes, and where the bytes are."""

    @property
    def snapshot(self) -> Snapshot:
        """Return the vectors."""
        ...

    def hashes(self) -> Iterable[tuple[int, str]]:
        """Yield (row, sha256 of the bytes) of the images whose bytes are known."""
        ...

    def sources(self, rows: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield (row, where the bytes are) of the rows that are there."""
        ...


class Stored:
    """The images of a collection."""

    def __init__(self, collection: Collection) -> None:
        self._store = collection.store
        self.snapshot: Snapshot = collection.store.snapshot(collection.space.name)

    def hashes(self) -> Iterable[tuple[int, str]]:
        """Yield what was noted when the images were indexed."""
        return ((record.row, record.content_hash) for record in self._store.records() if record.content_hash)

    def sources(self, rows: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield from the records, some at a time."""
        for start in range(0, len(rows), _AT_ONCE):
            for record in self._store.get_rows(rows[start : start + _AT_ONCE]):
                if record is not None:
                    yield record.row, record.source


@dataclass(frozen=True, slots=True, eq=False)
class Loose:
    """Images that are in no collection; their rows count from 0.

    Attributes:
        space: what the vectors mean.
        vectors: float32 (E, D).
        paths: (E,), where the images are.
    """

    space: VectorSpace
    vectors: Vectors
    paths: tuple[str, ...]

    @property
    def snapshot(self) -> Snapshot:
        """Return the vectors, as a store would."""
        return VectorSnapshot(self.space, 0, (Segment(np.arange(len(self.vectors), dtype=np.int64), self.vectors),))

    def hashes(self) -> Iterable[tuple[int, str]]:
        """Read the files; those that cannot be read are left out."""
        for row, path in enumerate(self.paths):
            if "://" in path:
                continue
            try:
                yield row, hashlib.sha256(read_source(path)).hexdigest()
            except ImageError:
                continue

    def sources(self, rows: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield their paths."""
        return ((row, self.paths[row]) for row in rows)
