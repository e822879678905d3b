"""Boxes of a truth, applied: the part of an image that a benchmark asks about, embedded in place of the whole.

A query is searched by its cut picture, as ``lookalike search --box`` does it. Where the truth has boxes of what is
searched too (OpenMetricLearning), those images are found by the vectors of their cut pictures, which are made for this
evaluation and not stored; all others by their stored ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol

import numpy as np

from ..collection.cropping import FULL, embedded_parts
from ..errors import ImageError, OtherEmbedder
from ..images import read_source
from ..images.decode import decode
from ..images.printable import printable
from ..index.exact import Exact
from ..protocols import Embedder, Searcher
from ..types import Candidates, Image, Region, Rows, Vectors, VectorSpace
from .truth.base import Box
from .truth.joining import Joined, Parts

__all__ = ["Embeds", "by_parts", "region_of", "with_boxes", "without_boxes"]

_BATCH = 32
Found = tuple[int, Image, Region]  # position, pixels, the box


class Embeds(Protocol):
    """What has an embedder: a collection."""

    @property
    def embedder(self) -> Embedder:
        """Return what makes vectors of images."""
        ...

    @property
    def space(self) -> VectorSpace:
        """Return the space that is searched."""
        ...


def with_boxes(collection: Embeds, joined: Joined) -> Joined:
    """Return the joined truth with the vectors of the parts that its boxes name, and a note that says so.

    An image that cannot be read, or whose box lies outside of it, counts whole; a note says how many do.

    Args:
        collection: gives the embedder; asked for it only when there is a box to apply.
        joined: a truth that was joined to the collection, its outside queries found.
    """
    truth = joined.truth
    asking = () if joined.queries is None else joined.queries.tolist()
    queries = [at for at in asking if at in truth.boxes]
    base = [at for at in truth.boxes if joined.rows[at] >= 0] if truth.boxes_in_base else []
    wanted = {at: truth.boxes[at] for at in sorted({*queries, *base})}
    if not wanted:
        return joined
    try:
        embedder = collection.embedder
    except OtherEmbedder as error:
        return without_boxes(joined, f"{error.message[:1].upper()}{error.message[1:]}")
    cut = _embedded(embedder, joined, wanted)
    place = {at: number for number, at in enumerate(cut.positions)}
    counts = (sum(at in place for at in some) for some in (queries, base))
    return replace(
        joined,
        parts=Parts(collection.space, np.concatenate(cut.vectors), place) if place else None,
        notes=(*joined.notes, *_said(*counts, failed=cut.failed)),
    )


def without_boxes(joined: Joined, why: str) -> Joined:
    """Return the joined truth with a note that its boxes were not applied; as it is where it has none."""
    if not joined.truth.boxes:
        return joined
    return replace(joined, notes=(*joined.notes, f"Boxes were not applied: whole images are compared. {why}"))


def by_parts(searcher: Searcher, joined: Joined) -> Searcher:
    """Return the search in which the images that the truth's boxes cut are found by these parts, all others as ever."""
    parts = joined.parts
    if parts is None or not joined.truth.boxes_in_base:
        return searcher
    rows = {int(joined.rows[at]): place for at, place in parts.place.items() if joined.rows[at] >= 0}
    if not rows:
        return searcher
    index = Exact(parts.space)
    listed = np.fromiter(rows, np.int64, len(rows))
    index.add(listed, parts.vectors[list(rows.values())])
    return _Both(searcher, index, np.sort(listed), joined.all_rows)


@dataclass(frozen=True, slots=True, eq=False)
class _Both:
    """Two searches as one.

    Attributes:
        wholes: the search of all images.
        parts: of those that are found by a part of them.
        cut: their rows, ascending.
        everything: the rows of all images.
    """

    wholes: Searcher
    parts: Exact
    cut: Rows
    everything: Rows

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        """Return the k best of both, equal scores by lower row."""
        among = self.everything if allowed is None else allowed
        found = []
        if len(whole := np.setdiff1d(among, self.cut)):
            found.append(self.wholes.search(vectors, min(k, len(whole)), allowed=whole))
        if len(part := np.intersect1d(among, self.cut)):
            found.append(self.parts.search(vectors, min(k, len(part)), allowed=part))
        rows = np.concatenate([np.full((len(vectors), k), -1, np.int64), *(each.rows for each in found)], axis=1)
        scores = np.concatenate(
            [np.full((len(vectors), k), -np.inf, np.float32), *(each.scores for each in found)], axis=1
        )
        order = np.lexsort((rows, -scores), axis=-1)[:, :k]
        return Candidates(np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1))

    def vectors(self, ids: Rows) -> Vectors:
        """Return the stored vectors."""
        return self.wholes.vectors(ids)


@dataclass(slots=True, eq=False)
class _Cut:
    """What came of the boxes; filled batch by batch."""

    vectors: list[Vectors] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def _embedded(embedder: Embedder, joined: Joined, wanted: Mapping[int, Box]) -> _Cut:
    out = _Cut()
    pending = iter(wanted.items())
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        while some := list(islice(pending, _BATCH)):
            read = list(pool.map(lambda each: _read(_where(joined, each[0]), *each), some))
            found: list[Found] = [each for each in read if not isinstance(each, str)]
            out.failed += [each for each in read if isinstance(each, str)]
            if found:
                out.vectors.append(embedded_parts(embedder, [(pixels, region) for _, pixels, region in found]))
                out.positions += [at for at, _, _ in found]
    return out


def _where(joined: Joined, at: int) -> str:
    outside = joined.outside
    return outside.sources[outside.place[at]] if outside and at in outside.place else joined.sources[at]


def _read(source: str, at: int, box: Box) -> Found | str:
    """Return the pixels and the box in them, or why there are none."""
    try:
        pixels = decode(read_source(source), input_size=FULL).pixels
    except ImageError as error:
        return error.message
    region = region_of(box, pixels)
    if region is None:
        numbers, (height, width) = ",".join(f"{edge:g}" for edge in box), pixels.shape[:2]
        return f"the box {numbers} has no part of {printable(source)}, which is {width} x {height} pixels"
    return at, pixels, region


def region_of(box: Box, pixels: Image) -> Region | None:
    """Return the box in whole pixels, cut at the picture's edge; None where nothing is left of it."""
    # Rounded as Pillow's crop does it, which the benchmarks' own programs use.
    x0, y0, x1, y1 = (round(edge) for edge in box)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, pixels.shape[1]), min(y1, pixels.shape[0])
    return Region(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _said(queries: int, base: int, *, failed: Sequence[str]) -> Iterator[str]:
    if queries:
        what = "query is a part of its image" if queries == 1 else "queries are parts of their images"
        yield f"{queries:,} {what}, cut to the truth's boxes (--no-boxes: whole images)."
    if base:
        what = "image that is searched is cut to its box" if base == 1 else "images that are searched are cut to theirs"
        yield f"{base:,} {what}, for this evaluation only: the collection holds the whole."
    if failed:
        what = (
            "box could not be applied, and its image counts"
            if len(failed) == 1
            else ("boxes could not be applied, and these images count")
        )
        yield f"{len(failed):,} {what} whole; the first: {failed[0]}."
