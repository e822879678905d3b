"""Several views of one object as one vector: the mean or the generalised mean of those of its images.

The merged vectors are made by one pass over the space and kept in a temporary file that is mapped, so memory does not
grow with the number of images beyond some numbers each; they are made again when the store has changed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from ..errors import StorageFailed
from ..index.exact import Exact
from ..protocols import Snapshot
from ..types import Bits, Rows, Segment, Vectors, VectorSpace
from .grouping import Groups

__all__ = ["Merge", "Merged", "P", "merge_rows", "merged", "standing_for"]

Merge = Literal["best", "mean", "gem"]
Doubles = npt.NDArray[np.float64]

P = 3.0  # of the generalised mean; the value of GeM pooling
_BLOCK_BYTES = 16 << 20  # float64 values held at a time
_CANCELLED = 1e-6  # a shorter mean has no direction


@dataclass(frozen=True, slots=True, eq=False)
class _Mapped:
    """Merged vectors; keeps the ``Snapshot`` protocol."""

    space: VectorSpace
    version: int
    segments: tuple[Segment, ...]

    def __len__(self) -> int:
        return sum(len(segment) for segment in self.segments)

    @property
    def rows(self) -> Rows:
        return self.segments[0].rows

    @property
    def vectors(self) -> Vectors:
        return self.segments[0].vectors


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """One vector for each group of one space; a row stands for its whole group.

    Attributes:
        groups: which rows belong together.
        index: over the merged vectors; the id of a group is the lowest row that has its value, of an image without a
            value its own row.
    """

    groups: Groups
    index: Exact

    def members(self, row: int) -> Rows:
        """Return the rows of the group that an id stands for."""
        number = int(self.groups.of_rows(np.array([row], np.int64))[0])
        return np.array([row], np.int64) if number < 0 else self.groups.rows[self.groups.numbers == number]


def merged(snapshot: Snapshot, groups: Groups, how: Merge) -> Merged:
    """Merge the vectors of each group, exactly: sums are of float64.

    ``mean``: of unit vectors the mean, of unit norm again. ``gem``: each component is the signed root of the mean of
    sign(x) |x|^3, which weighs strong components more; of unit norm again. Of bits both are the majority, and equal
    votes are decided by the image of the lowest row. Views that cancel each other out leave that one's vector.

    Raises:
        StorageFailed: there is no room for the temporary file.
    """
    rows = np.concatenate([segment.alive()[0] for segment in snapshot.segments] or [np.empty(0, np.int64)])
    ids = standing_for(rows, groups)
    order = np.lexsort((rows, ids))
    rows, ids = rows[order], ids[order]
    distinct = np.unique(ids)
    space = snapshot.space
    table = _table((len(distinct), space.width), space.dtype)
    place = 0
    for vectors in _merged_blocks(snapshot, rows, ids, how):
        table[place : place + len(vectors)] = vectors
        place += len(vectors)
    segments = (Segment(distinct, cast(Vectors, table)),) if len(distinct) else ()
    return Merged(groups, Exact.over(_Mapped(space, snapshot.version, segments)))


def merge_rows(rows: npt.NDArray[np.generic], weights: Doubles, how: Merge, *, p: float = P) -> Doubles:
    """Return (D,) float64, not normalised: the weighted mean of (V, D) views, or their generalised mean.

    A negative weight takes a view away, as in the arithmetic of queries.
    """
    wide = rows.astype(np.float64)
    shares = weights / np.abs(weights).sum()
    return _root(shares @ _power(wide, how, p), how, p)


def standing_for(rows: Rows, groups: Groups) -> Rows:
    """Return the id under which the group of each row is found, of any shape: the lowest row that has its value."""
    if not len(groups.rows):
        return rows
    _, first = np.unique(groups.numbers, return_index=True)  # rows ascend, so the first is the lowest
    numbers = groups.of_rows(rows)
    return np.where(numbers >= 0, groups.rows[first][np.maximum(numbers, 0)], rows)


def _table(shape: tuple[int, int], dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    if not shape[0]:
        return np.empty(shape, dtype)
    try:
        with tempfile.TemporaryFile(prefix="lookalike-merged-") as file:  # the mapping keeps it open by itself
            if hasattr(os, "posix_fallocate"):  # a full disk is told now, not by a signal later
                os.posix_fallocate(file.fileno(), 0, shape[0] * shape[1] * dtype.itemsize)
            return np.memmap(file, dtype, "r+", shape=shape)
    except OSError as error:
        raise StorageFailed(
            f"there is no room for the merged vectors of {shape[0]} groups: {error}.",
            hint="Free some disk space, or name another folder by $TMPDIR.",
        ) from error


def _merged_blocks(snapshot: Snapshot, rows: Rows, ids: Rows, how: Merge) -> Iterator[npt.NDArray[np.generic]]:
    """Yield the merged vectors by ascending id; the last group of a block may go on in the next."""
    space = snapshot.space
    step = max(1, _BLOCK_BYTES // (8 * space.dim))
    held: Doubles | None = None
    first: npt.NDArray[np.generic] | None = None  # the first view of the group that goes on
    count = 0
    for start in range(0, len(rows), step):
        part = ids[start : start + step]
        vectors = _gather(snapshot, rows[start : start + step])
        begins = np.flatnonzero(np.append(True, part[1:] != part[:-1]))
        sums = np.add.reduceat(_power(_wide(vectors, space), how, P), begins, axis=0)
        counts = np.diff(np.append(begins, len(part)))
        firsts = vectors[begins]
        if held is not None and first is not None and part[0] == ids[start - 1]:
            sums[0] += held
            counts[0] += count
            firsts[0] = first
        elif held is not None and first is not None:
            yield _finished(held[None], np.array([count]), first[None], space, how)
        yield _finished(sums[:-1], counts[:-1], firsts[:-1], space, how)
        held, count, first = sums[-1], int(counts[-1]), firsts[-1]
    if held is not None and first is not None:
        yield _finished(held[None], np.array([count]), first[None], space, how)


def _finished(
    sums: Doubles, counts: npt.NDArray[np.int64], firsts: npt.NDArray[np.generic], space: VectorSpace, how: Merge
) -> npt.NDArray[np.generic]:
    """Return merged vectors as the space has them; a group of one keeps its vector as it is."""
    if space.kind == "bits":
        ours = np.unpackbits(cast(Bits, firsts), axis=1, count=space.dim)
        return np.packbits(np.where(sums == 0, ours, sums > 0), axis=1)
    means = _root(sums / counts[:, None], how, P)
    if space.similarity == "cosine":
        norms = np.linalg.norm(means, axis=1, keepdims=True)
        means = np.where(norms < _CANCELLED, firsts, means / np.maximum(norms, _CANCELLED))
    return np.where(counts[:, None] == 1, firsts, means.astype(np.float32))


def _wide(vectors: npt.NDArray[np.generic], space: VectorSpace) -> Doubles:
    if space.kind != "bits":
        return vectors.astype(np.float64)
    return np.asarray(2.0 * np.unpackbits(cast(Bits, vectors), axis=1, count=space.dim) - 1, np.float64)


def _power(wide: Doubles, how: Merge, p: float) -> Doubles:
    return np.asarray(np.sign(wide) * np.abs(wide) ** p) if how == "gem" else wide


def _root(means: Doubles, how: Merge, p: float) -> Doubles:
    return np.asarray(np.sign(means) * np.abs(means) ** (1 / p)) if how == "gem" else means


def _gather(snapshot: Snapshot, wanted: Rows) -> npt.NDArray[np.generic]:
    """Return the vectors of rows that are in one of the segments, without copying the segments."""
    out = np.empty((len(wanted), snapshot.space.width), snapshot.space.dtype)
    for segment in snapshot.segments:
        if not len(segment.rows):
            continue
        at = np.minimum(np.searchsorted(segment.rows, wanted), len(segment.rows) - 1)
        here = (segment.rows[at] == wanted) & ~np.isin(at, segment.dead)
        out[here] = segment.vectors[at[here]]
    return out
