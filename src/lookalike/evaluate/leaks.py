"""Copies between what is asked and what is searched, or between what was trained on and what is tested.

A query whose copy lies in the base finds it first, whatever the search is worth; a test image that was trained on is no
test. Two files are copies when their bytes are equal (``exact``), or when the embedder scores them at least ``NEAR``
and their pixels agree (``near``, see ``same_picture``): neither signal alone is enough. Crops of more than a few per
cent, gray copies of colourful pictures and copies with a frame or a text in them are not found.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..collection import Collection
from ..collection.near_pairs import NearPairs, TooManyPairs, near_pairs
from ..errors import ImageError
from ..images import read_source
from ..images.decode import decode
from ..types import Record, Rows
from .same_picture import SIDE, Thumbnail, same_picture, thumbnail

__all__ = ["NEAR", "Leaks", "find_leaks", "find_leaks_between"]

NEAR = 0.85  # the least score of a candidate; measured with builtin-1 by benchmarks/leaks.py
MOST_IMAGES = 5000  # that are read to compare their pixels: half a minute of photographs
_MOST_COMPARED = 500_000  # pairs whose pixels are compared: ten seconds
_AT_ONCE = 2000  # records fetched, or pairs compared, at a time
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
    snapshot = collection.store.snapshot(collection.space.name)
    queries = np.unique(np.asarray(query_rows, np.int64))
    base = snapshot.rows if base_rows is None else np.unique(np.asarray(base_rows, np.int64))

    def near(least: float) -> NearPairs:
        return near_pairs(snapshot, least, rows=queries, against=base)

    def either(a: Rows, b: Rows) -> tuple[Rows, Rows]:
        """Turn pairs that could stand either way round as ``near_pairs`` does."""
        turned = (a > b) & np.isin(a, base) & np.isin(b, queries)
        return np.where(turned, b, a), np.where(turned, a, b)

    records = list(_hashed(collection))
    exact = either(*_equal_bytes(records, queries, records, base))
    return _found(exact, near, (collection, collection), threshold, most_images)


def find_leaks_between(
    train: Collection, test: Collection, *, threshold: float = NEAR, most_images: int = MOST_IMAGES
) -> Leaks:
    """Find the copies of images of one collection in another; ``rows_a`` are rows of ``train``, ``rows_b`` of ``test``.

    Raises:
        BadInput: the two were made with different embedders.
    """
    left, right = (each.store.snapshot(each.space.name) for each in (train, test))

    def near(least: float) -> NearPairs:
        return near_pairs(left, least, other=right)

    exact = _equal_bytes(_hashed(train), left.rows, _hashed(test), right.rows)
    return _found(exact, near, (train, test), threshold, most_images)


def _found(
    exact: tuple[Rows, Rows],
    near: Callable[[float], NearPairs],
    sides: tuple[Collection, Collection],
    threshold: float,
    most_images: int,
) -> Leaks:
    keys = np.unique(np.stack(exact, axis=1), axis=0).reshape(-1, 2)
    sure = Leaks(keys[:, 0], keys[:, 1], np.ones(len(keys), np.float32), np.ones(len(keys), np.bool_), np.nan)
    if sides[0].space.similarity != "cosine":
        return sure  # the threshold is a cosine
    pairs, used = _candidates(near, threshold)
    stride = max((int(part.max(initial=0)) for part in (keys, pairs.rows_b)), default=0) + 1
    known = np.isin(pairs.rows_a * stride + pairs.rows_b, keys[:, 0] * stride + keys[:, 1])
    pairs = pairs.at(~known)
    verified, unverified = _verified(
        pairs.at(np.lexsort((pairs.rows_b, pairs.rows_a, -pairs.scores))), sides, most_images
    )
    return Leaks(
        rows_a=np.concatenate([sure.rows_a, verified.rows_a]),
        rows_b=np.concatenate([sure.rows_b, verified.rows_b]),
        scores=np.concatenate([sure.scores, verified.scores]),
        exact=np.arange(len(sure) + len(verified.rows_a)) < len(sure),
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


# -- equal bytes ------------------------------------------------------------------------------------------------------


def _hashed(collection: Collection) -> Iterable[tuple[int, str]]:
    return ((record.row, record.content_hash) for record in collection.store.records() if record.content_hash)


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


# -- equal pixels -----------------------------------------------------------------------------------------------------


def _verified(pairs: NearPairs, sides: tuple[Collection, Collection], most_images: int) -> tuple[NearPairs, int]:
    """Return the pairs whose pixels agree, best first as they came, and how many could not be compared."""
    some = pairs.at(slice(_MOST_COMPARED))
    first, second = _to_read(some, sides[0] is sides[1], most_images)
    left = _thumbnails(sides[0], first)
    right = left if sides[0] is sides[1] else _thumbnails(sides[1], second)
    some = some.at(np.isin(some.rows_a, left.rows) & np.isin(some.rows_b, right.rows))
    same = [
        same_picture(left.of(part.rows_a), right.of(part.rows_b))
        for part in (some.at(slice(start, start + _AT_ONCE)) for start in range(0, len(some.scores), _AT_ONCE))
    ]
    agree = np.concatenate([np.empty(0, np.bool_), *same])
    return some.at(agree), len(pairs.scores) - len(some.scores)


def _to_read(pairs: NearPairs, one: bool, most: int) -> tuple[list[int], list[int]]:
    """Return the rows of both sides that the best pairs need; one list twice within one collection."""
    first: dict[int, None] = {}
    second: dict[int, None] = first if one else {}
    for a, b in zip(pairs.rows_a.tolist(), pairs.rows_b.tolist(), strict=True):
        if len(first) + (0 if one else len(second)) + 2 > most:
            break
        first[a] = None
        second[b] = None
    return list(first), list(second)


@dataclass(frozen=True, slots=True, eq=False)
class _Thumbnails:
    rows: Rows  # (N,), ascending
    pixels: npt.NDArray[np.uint8]  # (N, 16, 16, 3)

    def of(self, rows: Rows) -> npt.NDArray[np.uint8]:
        """Return (B, 16, 16, 3) of rows that are there."""
        return self.pixels[np.searchsorted(self.rows, rows)]


def _thumbnails(collection: Collection, rows: list[int]) -> _Thumbnails:
    """Return the thumbnails of the images that can be read."""
    shots: dict[int, Thumbnail] = {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(rows), _AT_ONCE):
            records = [record for record in collection.store.get_rows(rows[start : start + _AT_ONCE]) if record]
            for record, shot in zip(records, pool.map(_thumbnail_of, records), strict=True):
                if shot is not None:
                    shots[record.row] = shot
    ordered = sorted(shots)
    pixels = np.array([shots[row] for row in ordered], np.uint8).reshape(-1, SIDE, SIDE, 3)
    return _Thumbnails(np.array(ordered, np.int64), pixels)


def _thumbnail_of(record: Record) -> Thumbnail | None:
    if "://" in record.source:
        return None  # a check that nobody asked for downloads nothing
    try:
        return thumbnail(decode(read_source(record.source), input_size=4 * SIDE).pixels)
    except ImageError:
        return None
