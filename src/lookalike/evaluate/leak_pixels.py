"""The second look of the leak check: reads the images of candidate pairs, and keeps the pairs whose pixels agree."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..collection.near_pairs import NearPairs
from ..errors import ImageError
from ..images import read_source
from ..images.decode import decode
from ..types import Rows
from .leak_sides import Side
from .same_picture import SIDE, Thumbnail, same_picture, thumbnail

__all__ = ["verified"]

_MOST_COMPARED = 500_000  # pairs whose pixels are compared: ten seconds
_AT_ONCE = 2000  # pairs compared at a time


def verified(pairs: NearPairs, sides: tuple[Side, Side], most_images: int) -> tuple[NearPairs, int]:
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


def _thumbnails(side: Side, rows: list[int]) -> _Thumbnails:
    """Return the thumbnails of the images that can be read."""
    shots: dict[int, Thumbnail] = {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for row, shot in pool.map(_thumbnail_of, side.sources(rows)):
            if shot is not None:
                shots[row] = shot
    ordered = sorted(shots)
    pixels = np.array([shots[row] for row in ordered], np.uint8).reshape(-1, SIDE, SIDE, 3)
    return _Thumbnails(np.array(ordered, np.int64), pixels)


def _thumbnail_of(where: tuple[int, str]) -> tuple[int, Thumbnail | None]:
    row, source = where
    if "://" in source:
        return row, None  # a check that nobody asked for downloads nothing
    try:
        return row, thumbnail(decode(read_source(source), input_size=4 * SIDE).pixels)
    except ImageError:
        return row, None
