"""Copies between what is asked and what is searched, or between what was trained on and what is tested.

A query whose copy lies in the base finds it first, whatever the search is worth; a test image that was trained on is no
test. Two files are copies when their bytes are equal (``exact``), when the embedder scores them at least ``NEAR`` and
their pixels agree (``near``, see ``same_picture``): neither signal alone is enough; or when one is near the other and,
laid over it, agrees in every detail (``changed``, see ``changed_copy``, which says what is found and what is not).

Cost: besides the search for near pairs, at most ``MOST_IMAGES`` images are read and a few thousand pairs aligned.
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
from .leak_neighbours import MOST_QUERIES, NEIGHBOURS, neighbours, together, without
from .leak_pixels import Candidates, verified
from .leak_sides import Loose, Side, Stored

__all__ = ["NEAR", "Leaks", "find_leaks", "find_leaks_between", "find_outside_leaks"]

MOST_IMAGES = 5000  # that are read to compare their pixels: half a minute of photographs
_LONGEST_LIST = 1000  # pairs of one group of equal files


@dataclass(frozen=True, slots=True, eq=False)
class Leaks:
    """P pairs of copies, the surest first: exact ones, near ones by falling score, changed ones by falling agreement.

    Attributes:
        rows_a: int64 (P,), rows of the queries, or of the training collection.
        rows_b: int64 (P,), rows of the base, or of the tested collection.
        scores: float32 (P,); of two exact copies 1, whatever the space; of changed ones the agreement of details.
        exact: bool (P,), the bytes are equal; else the pixels agree.
        changed: bool (P,), the pixels agree when laid over one another: a crop, a small rotation, a grey copy.
        threshold: the least score of candidates; NaN where only bytes were compared.
        unverified: candidates whose pixels were not compared: an image could not be read, or too many were near.
        unaligned: near neighbours that were not laid over one another, for the same reasons.
        everything: all images were read and compared in grey; else changed copies are looked for among the nearest.
        nearest: how many neighbours of each query were looked at; 0: none, as there were too many queries.
    """

    rows_a: Rows
    rows_b: Rows
    scores: npt.NDArray[np.float32]
    exact: npt.NDArray[np.bool_]
    changed: npt.NDArray[np.bool_]
    threshold: float
    unverified: int = 0
    unaligned: int = 0
    everything: bool = False
    nearest: int = 0

    def __len__(self) -> int:
        return len(self.rows_a)

    def touched(self, rows: Rows) -> Rows:
        """Return which of the rows, of the first side, have a copy; within one collection either side counts."""
        return np.intersect1d(rows, np.concatenate([self.rows_a, self.rows_b]))

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        exact, changed = int(self.exact.sum()), int(self.changed.sum())
        return {
            "exact": exact,
            "near": len(self) - exact - changed,
            "changed": changed,
            "unverified": self.unverified,
            "unaligned": self.unaligned,
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
    return _found(exact, near, (side, side), (queries, base), threshold, most_images)


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
    return _found(exact, near, (left, right), (left.snapshot.rows, base), threshold, most_images)


def _found(
    exact: tuple[Rows, Rows],
    near: Callable[[float], NearPairs],
    sides: tuple[Side, Side],
    rows: tuple[Rows, Rows],
    threshold: float,
    most_images: int,
) -> Leaks:
    keys = np.unique(np.stack(exact, axis=1), axis=0).reshape(-1, 2)
    sure = NearPairs(keys[:, 0], keys[:, 1], np.ones(len(keys), np.float32))
    pairs, used = sure.at(slice(0)), np.nan
    if sides[0].snapshot.space.similarity == "cosine":  # the threshold is a cosine
        pairs, used = _candidates(near, threshold)
    close = neighbours(sides[0], rows[0], sides[1], rows[1])
    look = verified(Candidates(without(pairs, sure), without(close, sure), *rows), sides, most_images)
    changed = without(look.changed, sure)
    parts = (sure, look.near, changed)
    counts = np.repeat(np.arange(3), [len(part.scores) for part in parts])
    every = together(parts)
    return Leaks(
        rows_a=every.rows_a,
        rows_b=every.rows_b,
        scores=every.scores,
        exact=counts == 0,
        changed=counts == 2,
        threshold=used,
        unverified=look.unverified,
        unaligned=look.unaligned,
        everything=look.everything,
        nearest=NEIGHBOURS if len(rows[0]) <= MOST_QUERIES else 0,
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
