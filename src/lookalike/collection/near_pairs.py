"""All pairs of images at or above a score: what duplicates and leaks are found by. Exact, and never an N × N matrix.

A float32 matrix product with a proven error bound finds the few candidates of each pair of blocks; their scores are
then computed as exact search computes them. So the result depends neither on the blocks nor on the BLAS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, BadShape
from ..index.scores import rough_scores, some_scores
from ..protocols import Snapshot
from ..types import Rows, Segment, Vectors, VectorSpace

__all__ = ["MOST_PAIRS", "NEAR", "NearPairs", "TooManyPairs", "blocks", "near_pairs"]

NEAR = 0.85  # the least score of near-copies; measured with builtin-1 by benchmarks/leaks.py
MOST_PAIRS = 20_000_000  # some 400 MB; a threshold that gives more does not tell near pairs from others

_LEFT = 1024  # vectors of one side at a time; both sides' scores take 16 MiB
_RIGHT = 4096


class TooManyPairs(BadInput):
    """More pairs reach the threshold than ``MOST_PAIRS``."""


class NearPairs(NamedTuple):
    """P pairs, by ``rows_a``, then ``rows_b``."""

    rows_a: Rows  # int64 (P,)
    rows_b: Rows  # int64 (P,)
    scores: npt.NDArray[np.float32]  # (P,), as the space's similarity gives them

    def at(self, places: npt.NDArray[Any] | slice) -> NearPairs:
        """Return some of the pairs."""
        return NearPairs(self.rows_a[places], self.rows_b[places], self.scores[places])


class Block(NamedTuple):
    """Some stored vectors."""

    rows: Rows  # int64 (B,)
    vectors: Vectors  # (B, D)


def near_pairs(
    snapshot: Snapshot,
    threshold: float,
    *,
    rows: Rows | None = None,
    against: Rows | None = None,
    other: Snapshot | None = None,
) -> NearPairs:
    """Return the pairs of two different images that score at least ``threshold``, each once.

    Args:
        snapshot: the vectors; float, compared by cosine or l2, or bits.
        threshold: finite; a cosine, minus a squared distance, or the part of the bits that are equal.
        rows: the rows that are looked at; None: all. Unknown ones are passed over.
        against: the rows they are compared with; None: with one another, and ``rows_a`` < ``rows_b`` in each pair.
            Otherwise ``rows_a`` is one of ``rows``, ``rows_b`` one of ``against``; a pair that could stand either way
            round comes once, with ``rows_a`` < ``rows_b``.
        other: another collection's vectors of the same space: ``against`` and ``rows_b`` are then rows of that one.

    Raises:
        BadInput: the threshold is not finite, or the spaces differ or are of another kind.
        TooManyPairs: more than ``MOST_PAIRS`` pairs reach the threshold.
        BadShape: rows that are not (B,) integers.

    Cost: O(N² D) time, or O(A B D); memory for the result and some 60 MiB.
    """
    space = _checked(snapshot, threshold, other)
    left_rows, right_rows = _asked(rows, "rows"), _asked(against, "against")
    within = against is None and other is None
    found: list[NearPairs] = []
    count = 0
    for place, left in enumerate(blocks(snapshot, left_rows, _LEFT)):
        # Within one set of rows, blocks of one size are met in one order, so what lies before this block is done.
        right = (
            blocks(snapshot, left_rows, _LEFT, skip=place)
            if within
            else blocks(snapshot if other is None else other, right_rows)
        )
        for block in right:
            part = _between(left, block, threshold, space)
            if within:
                part = _upward(part)
            elif other is None:
                part = _either_way_once(part, left_rows, right_rows)
            count += len(part.rows_a)
            if count > MOST_PAIRS:
                raise TooManyPairs(
                    f"more than {MOST_PAIRS:,} pairs reach the score {threshold:g}.", hint="Give a higher threshold."
                )
            if len(part.rows_a):
                found.append(part)
    return _joined(found)


def _checked(snapshot: Snapshot, threshold: float, other: Snapshot | None) -> VectorSpace:
    space = snapshot.space
    if not np.isfinite(threshold):
        raise BadInput(f"the threshold of near pairs is a finite score, got {threshold}.")
    if space.similarity not in ("cosine", "l2", "hamming"):
        raise BadInput(
            f"near pairs are found among float vectors by cosine or l2, and bits, not {space.kind}/{space.similarity}."
        )
    if other is not None and (other.space.fingerprint, other.space.dim) != (space.fingerprint, space.dim):
        raise BadInput(
            f"the two collections have vectors of different embedders, {space.fingerprint} and "
            f"{other.space.fingerprint}, whose scores mean nothing.",
            hint="Index both with the same embedder.",
        )
    return space


def _asked(rows: Rows | None, name: str) -> Rows | None:
    if rows is None:
        return None
    given = np.asarray(rows)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise BadShape(f"{name} are (B,) integers, got {given.dtype} of shape {given.shape}.")
    return np.unique(given.astype(np.int64))


def blocks(snapshot: Snapshot, only: Rows | None, size: int = _RIGHT, *, skip: int = 0) -> Iterator[Block]:
    """Yield the vectors that count, at most ``size`` at a time, without the first ``skip`` blocks."""
    done = 0
    for segment in snapshot.segments:
        at = _places(segment, only)
        for start in range(0, len(at), size):
            done += 1
            if done <= skip:
                continue
            part = at[start : start + size]
            whole = part[-1] - part[0] + 1 == len(part)  # without gaps: no copy of what is mapped from a file
            taken: slice | npt.NDArray[np.int64] = slice(int(part[0]), int(part[-1]) + 1) if whole else part
            yield Block(segment.rows[taken], segment.vectors[taken])


def _places(segment: Segment, only: Rows | None) -> npt.NDArray[np.int64]:
    """Return where the rows that count are in a segment, ascending."""
    counts = np.ones(len(segment.rows), np.bool_)
    counts[segment.dead] = False
    if only is not None:
        counts &= np.isin(segment.rows, only)
    return np.flatnonzero(counts).astype(np.int64, copy=False)


def _between(left: Block, right: Block, threshold: float, space: VectorSpace) -> NearPairs:
    rough, error = rough_scores(left.vectors, right.vectors, space.similarity, space.dim)  # (A, B), (A,)
    a, b = np.nonzero(rough >= threshold - error[:, None])
    scores = some_scores(left.vectors, right.vectors, a, b, space.similarity, space.dim)
    kept = scores >= np.float32(threshold)
    return NearPairs(left.rows[a[kept]], right.rows[b[kept]], scores[kept])


def _upward(pairs: NearPairs) -> NearPairs:
    """Return each pair of two rows of one set with the lower row first; of a block with itself, one of its halves."""
    low, high = np.minimum(pairs.rows_a, pairs.rows_b), np.maximum(pairs.rows_a, pairs.rows_b)
    order = np.lexsort((high, low))
    low, high, scores = low[order], high[order], pairs.scores[order]
    repeated = np.zeros(len(low), np.bool_)
    repeated[1:] = (low[1:] == low[:-1]) & (high[1:] == high[:-1])
    kept = (low != high) & ~repeated
    return NearPairs(low[kept], high[kept], scores[kept])


def _either_way_once(pairs: NearPairs, left: Rows | None, right: Rows | None) -> NearPairs:
    """Leave out an image beside itself, and one of (a, b) and (b, a) where both sets hold both."""
    a, b = pairs.rows_a, pairs.rows_b
    turned = (left is None) | np.isin(b, [] if left is None else left)
    turned &= (right is None) | np.isin(a, [] if right is None else right)
    kept = (a != b) & ~(turned & (a > b))
    return NearPairs(a[kept], b[kept], pairs.scores[kept])


def _joined(found: list[NearPairs]) -> NearPairs:
    if not found:
        return NearPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    rows_a, rows_b, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((rows_b, rows_a))
    return NearPairs(rows_a[order], rows_b[order], scores[order])
