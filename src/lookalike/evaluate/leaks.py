"""Copies between what is asked and what is searched, or between what was trained on and what is tested.

A query whose copy lies in the base finds it first, whatever the search is worth; a test image that was trained on is no
test. Two files are copies when their bytes are equal (``exact``), or when the embedder scores them at least ``NEAR``
and their pixels agree (``near``, see ``same_picture``): neither signal alone is enough. Crops of more than a few per
cent, gray copies of colourful pictures and copies with a frame or a text in them are not found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..collection import Collection
from ..collection.near_pairs import NEAR, NearPairs, TooManyPairs, near_pairs
from ..types import Rows, Vectors
from .leak_pixels import verified
from .leak_sides import Loose, Side, Stored

__all__ = ["NEAR", "Leaks", "find_leaks", "find_leaks_between", "find_outside_leaks"]

MOST_IMAGES = 5000  # that are read to compare their pixels: half a minute of photographs
_LONGEST_LIST = 1000  # pairs of one group of equal files


@dataclass(frozen=True, slots=True, eq=False)
class Leaks:
    """P pairs of copies, the surest first: exact ones, then by falling score.

    Attributes:
        rows_a: int64 (P,), rows of the queries, or of the training collection.
        rows_b: int64 (P,), rows of the base, or of the tested collection.
        scores: float32 (P,); of two exact copies 1, whatever the space.
        exact: bool (P,), the bytes are equal; else the pixels agree.
        threshold: the least score of candidates; NaN where only bytes were compared.
        unverified: candidates whose pixels were not compared: an image could not be read, or too many were near.
    """

    rows_a: Rows
    rows_b: Rows
    scores: npt.NDArray[np.float32]
    exact: npt.NDArray[np.bool_]
    threshold: float
    unverified: int = 0

    def __len__(self) -> int:
        return len(self.rows_a)

    def touched(self, rows: Rows) -> Rows:
        """Return which of the rows, of the first side, have a copy; within one collection either side counts."""
        return np.intersect1d(rows, np.concatenate([self.rows_a, self.rows_b]))

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        exact = int(self.exact.sum())
        return {
            "exact": exact,
            "near": len(self) - exact,
            "unverified": self.unverified,
            "threshold": None if np.isnan(self.threshold) else round(self.threshold, 6),
        }


def find_leaks(
    collection: Collection,
    query_rows: Rows,
    *,
    base_rows: Rows | None = None,
    threshold: float = NEAR,
    most_images: int = MOST_IMAGES,
) -> Leaks:
    """Find the copies of queries in the base, within one collection; each pair comes once.

    Args:
        collection: an open one.
        query_rows: (Q,) rows that ask.
        base_rows: rows that are searched; None: all. A query beside itself is no leak.
        threshold: the least score of candidates.
        most_images: how many images are read at most to compare pixels, those of the best pairs first.

    Raises:
        BadShape: rows that are not (B,) integers.
    """
    side = Stored(collection)
    snapshot = side.snapshot
    queries = np.unique(np.asarray(query_rows, np.int64))
    base = snapshot.rows if base_rows is None else np.unique(np.asarray(base_rows, np.int64))

    def near(least: float) -> NearPairs:
        return near_pairs(snapshot, least, rows=queries, against=base)

    def either(a: Rows, b: Rows) -> tuple[Rows, Rows]:
        """Turn pairs that could stand either way round as ``near_pairs`` does."""
        turned = (a > b) & np.isin(a, base) & np.isin(b, queries)
        return np.where(turned, b, a), np.where(turned, a, b)

    records = list(side.hashes())
    exact = either(*_equal_bytes(records, queries, records, base))
    return _found(exact, near, (side, side), threshold, most_images)


def find_leaks_between(
    train: Collection, test: Collection, *, threshold: float = NEAR, most_images: int = MOST_IMAGES
) -> Leaks:
    """Find the copies of images of one collection in another; ``rows_a`` are rows of ``train``, ``rows_b`` of ``test``.

    Raises:
        BadInput: the two were made with different embedders.
    """
    return _across(Stored(train), Stored(test), None, threshold, most_images)


def find_outside_leaks(
    collection: Collection,
    vectors: Vectors,
    paths: Sequence[str],
    *,
    base_rows: Rows | None = None,
    threshold: float = NEAR,
    most_images: int = MOST_IMAGES,
) -> Leaks:
    """Find the copies in a collection of images that are not in it; ``rows_a`` counts these from 0.

    Args:
        collection: what is searched.
        vectors: float32 (E, D), of the collection's embedder.
        paths: (E,), where the images are.
        base_rows, threshold, most_images: as in ``find_leaks``.
    """
    side = Loose(collection.space, vectors, tuple(paths))
    return _across(side, Stored(collection), base_rows, threshold, most_images)


def _across(left: Side, right: Side, base_rows: Rows | None, threshold: float, most_images: int) -> Leaks:
    base = right.snapshot.rows if base_rows is None else base_rows

    def near(least: float) -> NearPairs:
        return near_pairs(left.snapshot, least, against=base, other=right.snapshot)

    exact = _equal_bytes(left.hashes(), left.snapshot.rows, right.hashes(), base)
    return _found(exact, near, (left, right), threshold, most_images)


def _found(
    exact: tuple[Rows, Rows],
    near: Callable[[float], NearPairs],
    sides: tuple[Side, Side],
    threshold: float,
    most_images: int,
) -> Leaks:
    keys = np.unique(np.stack(exact, axis=1), axis=0).reshape(-1, 2)
    sure = Leaks(keys[:, 0], keys[:, 1], np.ones(len(keys), np.float32), np.ones(len(keys), np.bool_), np.nan)
    if sides[0].snapshot.space.similarity != "cosine":
        return sure  # the threshold is a cosine
    pairs, used = _candidates(near, threshold)
    stride = max((int(part.max(initial=0)) for part in (keys, pairs.rows_b)), default=0) + 1
    known = np.isin(pairs.rows_a * stride + pairs.rows_b, keys[:, 0] * stride + keys[:, 1])
    pairs = pairs.at(~known)
    agreeing, unverified = verified(
        pairs.at(np.lexsort((pairs.rows_b, pairs.rows_a, -pairs.scores))), sides, most_images
    )
    return Leaks(
        rows_a=np.concatenate([sure.rows_a, agreeing.rows_a]),
        rows_b=np.concatenate([sure.rows_b, agreeing.rows_b]),
        scores=np.concatenate([sure.scores, agreeing.scores]),
        exact=np.arange(len(sure) + len(agreeing.rows_a)) < len(sure),
        threshold=used,
        unverified=unverified,
    )


def _candidates(near: Callable[[float], NearPairs], threshold: float) -> tuple[NearPairs, float]:
    """Return the candidates, and the threshold that kept them few enough to hold."""
    while True:
        try:
            return near(threshold), threshold
        except TooManyPairs:
            if threshold > 0.9999:
                raise
            threshold = (1 + threshold) / 2


def _equal_bytes(
    left: Iterable[tuple[int, str]], left_rows: Rows, right: Iterable[tuple[int, str]], right_rows: Rows
) -> tuple[Rows, Rows]:
    """Return the pairs of rows (P,), (P,) of equal content; of a large group of equal files the first thousand."""
    wanted, others = set(left_rows.tolist()), set(right_rows.tolist())
    by_hash: dict[str, list[int]] = defaultdict(list)
    for row, content in left:
        if row in wanted:
            by_hash[content].append(row)
    pairs: list[tuple[int, int]] = []
    counts: dict[str, int] = defaultdict(int)
    within = left is right
    for row, content in right:
        if row not in others or content not in by_hash:
            continue
        for other in by_hash[content]:
            if counts[content] >= _LONGEST_LIST or (within and other == row):
                continue
            counts[content] += 1
            pairs.append((other, row))
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]
