"""Copies of an image on two sides: a test image that was trained on is no test.

Two files are copies when their bytes are equal, or when their perceptual hashes are near and their pixels agree
(``evaluate.same_picture``): re-encoded, resized, darker and mirrored copies. Crops, rotations and grey copies
are found by the slower check of ``lookalike evaluate --train COLLECTION``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..collection.near_pairs import NearPairs, TooManyPairs, near_pairs
from ..embed.handcrafted.phash import phash
from ..errors import ImageError
from ..evaluate.leak_sides import Loose
from ..evaluate.same_picture import SIDE, same_picture, thumbnail
from ..images import read_source
from ..images.decode import decode
from ..types import Vectors
from .samples import Samples

__all__ = ["DISTANCE", "Copies", "Prints", "copies_between", "prints_of"]

DISTANCE = 10  # of the 64 bits of two hashes; what is further apart is not compared
_MOST_COMPARED = 300_000  # pairs whose pixels are compared, the nearest first: some seconds
_TOGETHER = 32  # images that one thread hashes at once


@dataclass(frozen=True, slots=True, eq=False)
class Prints:
    """What M images are compared by; without what could not be read.

    Attributes:
        at: int64 (M,), positions among the samples.
        digests: (M,), the sha256 of the bytes.
        small: uint8 (M, 16, 16, 3).
        hashes, mirrored: uint8 (M, 8), of the picture and of its mirror image.
        broken: position -> why it could not be read.
    """

    at: npt.NDArray[np.int64]
    digests: tuple[bytes, ...]
    small: npt.NDArray[np.uint8]
    hashes: npt.NDArray[np.uint8]
    mirrored: npt.NDArray[np.uint8]
    broken: dict[int, str]


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """P pairs of copies, those of equal bytes first, one for each image of the second side.

    Attributes:
        first, second: int64 (P,), positions on the two sides.
        exact: bool (P,), the bytes are equal; else the pixels agree.
        left: pairs with near hashes that were too many to compare.
    """

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    exact: npt.NDArray[np.bool_]
    left: int = 0

    def __len__(self) -> int:
        return len(self.first)


def prints_of(samples: Samples, threads: int) -> Prints:
    """Read every image once. Cost: that of decoding them at 128 pixels, on all threads."""
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="hash") as pool:
        starts = range(0, len(samples), _TOGETHER)
        parts = list(pool.map(partial(_some, samples.sources), starts))
    made = [one for part in parts for one in part if not isinstance(one[1], str)]
    broken = {at: why for part in parts for at, why in part if isinstance(why, str)}
    rows = [row for _, row in made]
    return Prints(
        at=np.array([at for at, _ in made], np.int64),
        digests=tuple(row[0] for row in rows),
        small=np.array([row[1] for row in rows], np.uint8).reshape(-1, SIDE, SIDE, 3),
        hashes=np.array([row[2] for row in rows], np.uint8).reshape(-1, 8),
        mirrored=np.array([row[3] for row in rows], np.uint8).reshape(-1, 8),
        broken=broken,
    )


def _some(sources: Sequence[str], start: int) -> list[tuple[int, Any]]:
    """Return of a few images the position and (digest, thumbnail, hash, mirrored hash), or why there is none."""
    hashing = phash()
    found: list[tuple[int, Any]] = []
    for at in range(start, min(start + _TOGETHER, len(sources))):
        try:
            data = read_source(sources[at])
            pixels = decode(data, input_size=hashing.input_size).pixels
        except ImageError as failed:
            found.append((at, failed.message))
            continue
        hashes = hashing.embed([pixels, np.ascontiguousarray(pixels[:, ::-1])])
        found.append((at, (hashlib.sha256(data).digest(), thumbnail(pixels), *hashes)))
    return found


def copies_between(first: Prints, second: Prints) -> Copies:
    """Return which images of the second side are copies of one of the first.

    Cost: O(A B) comparisons of 64 bits, a second for 40,000 beside 10,000, and some seconds for pixels at most.
    """
    known = {digest: at for at, digest in zip(first.at[::-1].tolist(), reversed(first.digests), strict=True)}
    pairs = [
        (known[digest], at) for at, digest in zip(second.at.tolist(), second.digests, strict=True) if digest in known
    ]
    exact = np.array(pairs, np.int64).reshape(-1, 2)
    near = [_near(hashes, second.hashes) for hashes in (first.hashes, first.mirrored)]
    rows_a, rows_b, scores = (np.concatenate(parts) for parts in zip(*near, strict=True))
    order = np.argsort(-scores, kind="stable")
    open_ = order[~np.isin(second.at[rows_b[order]], exact[:, 1])]
    chosen = open_[:_MOST_COMPARED]
    a, b = rows_a[chosen], rows_b[chosen]
    same = same_picture(first.small[a], second.small[b])
    a, b = a[same], b[same]
    _, once = np.unique(b, return_index=True)  # the nearest comes first
    found = np.concatenate([exact, np.stack([first.at[a[once]], second.at[b[once]]], axis=1)])
    return Copies(found[:, 0], found[:, 1], np.arange(len(found)) < len(exact), len(open_) - len(chosen))


def _near(left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8]) -> NearPairs:
    space = phash().space

    def side(rows: npt.NDArray[np.uint8]) -> Loose:
        return Loose(space, cast(Vectors, rows), ())

    distance = DISTANCE
    while True:
        try:
            return near_pairs(side(left).snapshot, 1 - distance / space.dim, other=side(right).snapshot)
        except TooManyPairs:
            if not distance:
                raise
            distance //= 2
