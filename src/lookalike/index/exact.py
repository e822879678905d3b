"""Brute force: every vector is compared. Exact, deterministic, and the oracle of every other index."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..embed.blas import one_blas_thread
from ..errors import BadInput, BadShape
from ..protocols import Snapshot
from ..types import Candidates, Rows, Segment, Vectors, VectorSpace
from .scores import all_scores
from .topk import Best

__all__ = ["Exact"]

Floats = npt.NDArray[np.float32]
Blocks = Iterator[tuple[Rows, Vectors]]

# Vectors scored at a time. 4 to 16 MiB are equally fast; each product waits for all its threads, which is dear on cores
# that others use too, so few and large ones are better. One query reads the vectors once and makes few scores: larger.
_BLOCK_BYTES = 16 << 20
_LONE_QUERY = 8
_LEAST_BLOCK, _MOST_BLOCK = 64, 32768  # vectors, however long or short they are
_SCORES_BYTES = 32 << 20  # scores held at a time for one block of queries, by each thread
_RANKING_BYTES = 64 << 20  # the same where all scores are wanted: fewer passes over the vectors
_RANKING_SHARE = 8  # from an eighth of everything, sorting everything is faster than keeping the best
_NORM_TOLERANCE = 1e-3
_LONGEST = 1e15  # squared distances beyond it overflow float32


class Exact:
    """Compares each query with all vectors, block by block; memory does not depend on how many are stored.

    A score is the float64 dot product (cosine, clipped to [-1, 1]) or minus the float64 squared distance (l2), rounded
    to float32; of bits (hamming) it is the part of them that are equal. So it depends on the two vectors only: not on
    the batch, the block or the BLAS, and vectors that are equal have scores that are equal. Equal scores are ordered by
    lower row. A float32 matrix product with a proven error bound only finds the few candidates whose scores are then
    computed that way.

    Vectors may be mapped from a file (``over``); they are not copied. ``add`` and ``remove`` keep what they change in
    memory. Searching from several threads is safe, searching while another thread adds or removes is not.
    """

    def __init__(self, space: VectorSpace) -> None:
        if space.similarity not in ("cosine", "l2", "hamming"):
            raise BadInput(
                f"exact search compares float vectors by cosine or l2, and bits, not {space.kind}/{space.similarity}."
            )
        self._space = space
        self._segments: list[Segment] = []

    @classmethod
    def over(cls, snapshot: Snapshot) -> Exact:
        """Return an index of a snapshot's vectors, without copying them."""
        made = cls(snapshot.space)
        made._segments = [segment for segment in snapshot.segments if len(segment.rows)]
        return made

    def __repr__(self) -> str:
        return f"Exact({self._space!r})"

    def __len__(self) -> int:
        return sum(len(segment) for segment in self._segments)

    @property
    def space(self) -> VectorSpace:
        """What the vectors mean."""
        return self._space

    def add(self, ids: Rows, vectors: Vectors) -> None:
        """Add vectors, copied; an id that is there already gets the new one, of an id given twice the last counts.

        Args:
            ids: (B,) int64, >= 0.
            vectors: (B, D) float32, finite; packed (B, ceil(D / 8)) uint8 in a space of bits.

        Raises:
            BadShape, BadInput: other shapes, types or values; nothing is changed.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1 or ids.dtype.kind not in "iu" or (len(ids) and int(ids.min()) < 0):
            raise BadShape(f"ids are (B,) integers from 0, got {ids.dtype} of shape {ids.shape}.")
        vectors = self._checked(vectors, "vectors")
        if len(vectors) != len(ids):
            raise BadShape(f"{len(ids)} ids and {len(vectors)} vectors do not belong together.")
        if not len(ids):
            return
        unique, last = np.unique(ids[::-1], return_index=True)
        self.remove(unique)
        self._segments.append(Segment(unique.astype(np.int64), vectors[len(ids) - 1 - last]))
        # Segments double in size, so that many small additions cost n log n altogether and few segments remain.
        while len(self._segments) > 1 and len(self._segments[-2].rows) < 2 * len(self._segments[-1].rows):
            if not self._segments[-2].vectors.flags.owndata:
                break  # mapped, or the caller's: never copied
            self._segments[-2:] = [_merged(self._segments[-2], self._segments[-1])]

    def remove(self, ids: Rows) -> int:
        """Remove vectors and return how many of the ids were there."""
        wanted = np.unique(np.asarray(ids, np.int64))
        removed = 0
        for place, segment in enumerate(self._segments):
            at = np.setdiff1d(_positions(segment.rows, wanted), segment.dead, assume_unique=True)
            if len(at):
                removed += len(at)
                self._segments[place] = Segment(segment.rows, segment.vectors, np.union1d(segment.dead, at))
        self._segments = [segment for segment in self._segments if len(segment)]
        return removed

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        """Return the k best of each query, best first, equal scores by lower row.

        Args:
            vectors: (Q, D) float32 or float64, finite; packed (Q, ceil(D / 8)) uint8 in a space of bits.
            k: how many, > 0; slots that nothing fills hold row -1 and score -inf.
            allowed: row ids to search among; unknown ones are passed over. None means all.

        Raises:
            BadInput: ``k`` is not positive.
            BadShape: queries of another shape, or not finite.

        Cost: O(Q N D) time; memory for the result and some 100 MiB; where k is over N / 8,
            some 300 MiB or 20 N bytes, whichever is more.
        """
        if k <= 0:
            raise BadInput(f"k must be at least 1, got {k}.")
        queries = self._checked(vectors, "queries")
        only = None if allowed is None else np.unique(np.asarray(allowed, np.int64))
        rows = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        total = len(self) if only is None else min(len(self), len(only))
        k = min(k, total)
        if k:
            ranking = k * _RANKING_SHARE >= total
            find = self._ranking if ranking else self._best
            step = min(_MOST_BLOCK, max(_LEAST_BLOCK, _BLOCK_BYTES // self._space.row_bytes))
            views = step if ranking or len(queries) > 1 else step * _LONE_QUERY
            held = (_RANKING_BYTES // total) if ranking else (_SCORES_BYTES // (step + k))
            at_once = max(1, held // 4)

            def answer(start: int) -> None:
                part = slice(start, start + at_once)
                found = find(queries[part], k, self._blocks(step, views, only))
                rows[part, : found[0].shape[1]], scores[part, : found[1].shape[1]] = found

            _side_by_side(answer, range(0, len(queries), at_once))
        return Candidates(rows, scores)

    def _best(self, queries: Vectors, k: int, blocks: Blocks) -> tuple[Rows, Floats]:
        best = Best(queries, k, self._space.similarity, self._space.dim)
        for rows, vectors in blocks:
            best.offer(rows, vectors)
        return best.result()

    def _ranking(self, queries: Vectors, k: int, blocks: Blocks) -> tuple[Rows, Floats]:
        """Score everything, then sort: what is faster when much of it is wanted."""
        seen = [
            (rows, all_scores(queries, vectors, self._space.similarity, self._space.dim)) for rows, vectors in blocks
        ]
        if not seen:
            return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        rows = np.concatenate([part[0] for part in seen])
        scores = np.concatenate([part[1] for part in seen], axis=1)
        if (rows[1:] < rows[:-1]).any():
            by_row = np.argsort(rows)
            rows, scores = rows[by_row], scores[:, by_row]
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # stable: equal scores stay in the order of rows
        return rows[order], np.take_along_axis(scores, order, axis=1)

    def _blocks(self, step: int, views: int, only: Rows | None) -> Blocks:
        for segment in self._segments:
            yield from _some(segment, step, only) if only is not None else _all(segment, step, views)

    def _checked(self, vectors: Vectors, what: str) -> Vectors:
        given = np.asarray(vectors)
        if self._space.kind == "bits":
            return self._checked_bits(given, what)
        if given.ndim != 2 or given.shape[1] != self._space.dim or given.dtype.kind != "f":
            raise BadShape(f"{what} are float32 (B, {self._space.dim}), got {given.dtype} of shape {given.shape}.")
        given = np.ascontiguousarray(given, np.float32)
        if not np.isfinite(given).all():
            raise BadShape(f"{what} must be finite; one holds NaN or infinity.")
        norms = np.sqrt(np.einsum("ij,ij->i", given, given, dtype=np.float64))
        if self._space.similarity == "cosine" and (np.abs(norms - 1) > _NORM_TOLERANCE).any():
            worst = float(norms[np.argmax(np.abs(norms - 1))])
            raise BadShape(f"{what} of the space {self._space.name!r} have unit norm; one has {worst:.6g}.")
        if (norms > _LONGEST).any():
            raise BadShape(f"{what} must not be longer than {_LONGEST:g}; one has the norm {norms.max():.6g}.")
        return given

    def _checked_bits(self, given: npt.NDArray[Any], what: str) -> Vectors:
        if given.ndim != 2 or given.shape[1] != self._space.width or given.dtype != np.uint8:
            raise BadShape(f"{what} are packed uint8 (B, {self._space.width}), got {given.dtype} of {given.shape}.")
        if (given[:, -1] & self._space.unused).any():
            raise BadShape(f"{what} of the space {self._space.name!r} have {self._space.dim} bits; one has more set.")
        return cast(Vectors, np.ascontiguousarray(given))


def _side_by_side(work: Callable[[int], None], starts: Sequence[int]) -> None:
    """Do all the work, on all cores where there is enough of it: most passes over the scores know one thread only."""
    cores = os.cpu_count() or 1
    if len(starts) < 2 * cores or cores == 1:
        for start in starts:
            work(start)
        return
    with one_blas_thread(), ThreadPoolExecutor(cores, thread_name_prefix="lookalike-search") as pool:
        for _ in pool.map(work, starts):
            pass


def _some(segment: Segment, step: int, only: Rows) -> Blocks:
    """Yield copies of the vectors of these rows, at most ``step`` at a time."""
    at = np.setdiff1d(_positions(segment.rows, only), segment.dead, assume_unique=True)
    for start in range(0, len(at), step):
        part = at[start : start + step]
        yield segment.rows[part], segment.vectors[part]


def _all(segment: Segment, step: int, views: int) -> Blocks:
    """Yield all vectors that count: views of at most ``views``, or copies of at most ``step`` where some are dead."""
    for start in range(0, len(segment.rows), views):
        end = start + views
        rows, vectors = segment.rows[start:end], segment.vectors[start:end]
        low, high = np.searchsorted(segment.dead, (start, end))
        if high == low:
            yield rows, vectors
        elif views > step:
            yield from _all(Segment(rows, vectors, segment.dead[low:high] - start), step, step)
        elif high - low < len(rows):
            here = segment.dead[low:high] - start
            yield np.delete(rows, here), np.delete(vectors, here, axis=0)


def _positions(rows: Rows, wanted: Rows) -> npt.NDArray[np.int64]:
    """Return where the ``wanted`` rows are; both ascend, unknown ones are left out."""
    at = np.searchsorted(rows, wanted)
    inside = at < len(rows)
    at = at[inside]
    found: npt.NDArray[np.int64] = at[rows[at] == wanted[inside]]
    return found


def _merged(first: Segment, second: Segment) -> Segment:
    parts: Sequence[tuple[Rows, Vectors]] = [first.alive(), second.alive()]
    rows = np.concatenate([part[0] for part in parts])
    vectors = np.concatenate([part[1] for part in parts])
    order = np.argsort(rows)
    return Segment(rows[order], vectors[order])
