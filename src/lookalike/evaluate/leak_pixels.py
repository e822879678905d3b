"""The second look of the leak check: reads the images of candidate pairs, and keeps the pairs whose pixels agree.

Pairs that score as copies are compared as they stand (``same_picture``). Pairs of near neighbours, which a crop, a
small rotation or the loss of colours may have moved apart, are laid over one another (``copy_alignment``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..collection.near_pairs import NearPairs
from ..errors import ImageError
from ..images import read_source
from ..images.decode import decode
from ..types import Rows
from .changed_copy import Shot, Shots, alike_in_grey, changed_copies, shot
from .leak_neighbours import once, together, without
from .leak_sides import Side
from .same_picture import same_picture

__all__ = ["MOST_WHOLE", "Candidates", "Verified", "verified"]

MOST_WHOLE = 2000  # images of both sides, all of which are read: some seconds of photographs
_MOST_COMPARED = 500_000  # pairs whose pixels are compared: ten seconds
_AT_ONCE = 2000  # pairs compared at a time


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Pairs to look at, none of them of equal bytes.

    Attributes:
        near: that score as copies.
        neighbours: of the nearest of each query.
        rows, base: all rows of the two sides.
    """

    near: NearPairs
    neighbours: NearPairs
    rows: Rows
    base: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """What the pixels say.

    Attributes:
        near: of those, the pairs whose pixels agree as they stand, best first.
        changed: the pairs that agree when laid over one another, with the agreement as their score, best first.
        unverified: how many near pairs could not be compared.
        unaligned: how many neighbours could not be.
        everything: all images of both sides were compared in grey, too.
    """

    near: NearPairs
    changed: NearPairs
    unverified: int
    unaligned: int
    everything: bool


def verified(found: Candidates, sides: tuple[Side, Side], most_images: int) -> Verified:
    """Compare pixels, those of the best pairs first.

    Args:
        found: the pairs.
        sides: where the images are; one side twice within one collection.
        most_images: how many images are read at most.
    """
    one = sides[0] is sides[1]
    near = _best_first(found.near).at(slice(_MOST_COMPARED))
    close = _best_first(found.neighbours)
    everyone = len(np.union1d(found.rows, found.base)) if one else len(found.rows) + len(found.base)
    everything = everyone <= min(MOST_WHOLE, most_images)
    first, second = (found.rows, found.base) if everything else _to_read((near, close), one=one, most=most_images)
    left = _shots(sides[0], np.union1d(first, second) if one else first)
    right = left if one else _shots(sides[1], second)
    near, close = _there(near, left, right), _there(close, left, right)
    same = [
        same_picture(left.small[left.at(part.rows_a)], right.small[right.at(part.rows_b)])
        for part in (near.at(slice(start, start + _AT_ONCE)) for start in range(0, len(near.scores), _AT_ONCE))
    ]
    agree = near.at(np.concatenate([np.empty(0, np.bool_), *same]))
    unread = len(found.neighbours.scores) - len(close.scores)
    wanted = close
    if everything:
        grey = alike_in_grey(left, found.rows, right, found.base, within=one)
        wanted = together([close, without(once(grey, found.rows, found.base) if one else grey, close)])
    changed, left_out = changed_copies(left, right, without(wanted, agree))
    return Verified(
        agree, _best_first(changed), len(found.near.scores) - len(near.scores), unread + left_out, everything
    )


def _best_first(pairs: NearPairs) -> NearPairs:
    return pairs.at(np.lexsort((pairs.rows_b, pairs.rows_a, -pairs.scores)))


def _there(pairs: NearPairs, left: Shots, right: Shots) -> NearPairs:
    return pairs.at(np.isin(pairs.rows_a, left.rows) & np.isin(pairs.rows_b, right.rows))


def _to_read(lists: Iterable[NearPairs], *, one: bool, most: int) -> tuple[Rows, Rows]:
    """Return the rows of both sides that the best pairs need; those of both together within one collection."""
    first: dict[int, None] = {}
    second: dict[int, None] = first if one else {}
    for pairs in lists:
        for a, b in zip(pairs.rows_a.tolist(), pairs.rows_b.tolist(), strict=True):
            if len(first) + (0 if one else len(second)) + 2 > most:
                break
            first[a] = None
            second[b] = None
    return np.array(list(first), np.int64), np.array(list(second), np.int64)


def _shots(side: Side, rows: Rows) -> Shots:
    """Return the small pictures of the images that can be read."""
    shots: dict[int, Shot] = {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for row, made in pool.map(_shot_of, side.sources(rows.tolist())):
            if made is not None:
                shots[row] = made
    return Shots.of(shots)


def _shot_of(where: tuple[int, str]) -> tuple[int, npt.NDArray[np.uint8] | None]:
    row, source = where
    if "://" in source:
        return row, None  # a check that nobody asked for downloads nothing
    try:
        return row, shot(decode(read_source(source), input_size=4 * 16).pixels)
    except ImageError:
        return row, None
