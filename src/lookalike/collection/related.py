"""Lists of related images for a whole catalogue: the k nearest neighbours of every image, a block at a time.

Exact, through the one search that everything goes through, and never an N × N matrix: memory is that of one block's
candidates (at most 2**21 scores) and of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..protocols import Searcher
from ..types import Rows
from .choosing import first_of_groups
from .grouping import Groups, groups_by, of_same_bytes
from .near_pairs import Block, blocks
from .sameness import near_score

if TYPE_CHECKING:
    from .facade import Collection

__all__ = ["Related", "related"]

_BLOCK = 512  # queries at a time: what makes the search a matrix product
_MOST = 2**21  # candidates of a block

OnBlock = Callable[[int, int], None]
_List = tuple[Rows, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Related:
    """N lists, in compressed sparse rows: those of ``rows[i]`` are at ``indptr[i] : indptr[i + 1]``, best first.

    Attributes:
        rows: int64 (N,), strictly ascending: every image that has a vector.
        indptr: int64 (N + 1,), from 0, never falling.
        neighbours: int64 (E,), rows; never the image itself.
        scores: float32 (E,), as the space's similarity gives them; falling within a list, equal ones by lower row.
    """

    rows: Rows
    indptr: npt.NDArray[np.int64]
    neighbours: Rows
    scores: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, place: int) -> tuple[Rows, npt.NDArray[np.float32]]:
        """Return the list of ``rows[place]``: rows and scores."""
        part = slice(int(self.indptr[place]), int(self.indptr[place + 1]))
        return self.neighbours[part], self.scores[part]


def related(
    photos: Collection,
    k: int = 20,
    *,
    not_same: bool = False,
    group_by: str | None = None,
    on_progress: OnBlock | None = None,
) -> Related:
    """Return for each image of a collection the k others that are most alike.

    Args:
        photos: an open collection.
        k: the length of a list, > 0; shorter where there are no more.
        not_same: without files of the same bytes, near-copies and, with ``group_by``, images of the same group; as
            ``Collection.search`` has it.
        group_by: a metadata column; in a list each value stands once, by its best image.
        on_progress: called with the images done and all there are.

    Raises:
        BadInput: k is not positive, or no image has the column.

    Cost: N searches of the collection, O(N² D) time.
    """
    if k <= 0:
        raise BadInput(f"k must be at least 1, got {k}.")
    space = photos.space
    rule = _Rule(
        k,
        near_score(space, photos.store) if not_same else np.inf,
        of_same_bytes(photos.store) if not_same else None,
        None if group_by is None else groups_by(photos.store, group_by),
        not_same,
    )
    snapshot = photos.store.snapshot(space.name)
    by_row: dict[int, _List] = {}
    for block in blocks(snapshot, None, _BLOCK):
        by_row.update(_lists(photos.searcher, block, rule, len(snapshot)))
        if on_progress is not None:
            on_progress(len(by_row), len(snapshot))
    rows = np.array(sorted(by_row), np.int64)
    lists = [by_row[row] for row in rows.tolist()]
    indptr = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(found) for found, _ in lists], out=indptr[1:])
    return Related(
        rows,
        indptr,
        np.concatenate([found for found, _ in lists] or [np.empty(0, np.int64)]),
        np.concatenate([scores for _, scores in lists] or [np.empty(0, np.float32)]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    """What may stand in a list."""

    k: int
    least: float  # what scores so much is the same
    copies: Groups | None
    groups: Groups | None
    not_same: bool

    def places(self, row: int, rows: Rows, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """Return, ascending, which of a row's candidates stand in its list."""
        kept = (rows >= 0) & (rows != row) & (scores < self.least)
        own = np.array([row], np.int64)
        if self.copies is not None:
            kept &= self.copies.of_rows(rows) != self.copies.of_rows(own)
        if self.groups is None:
            return np.flatnonzero(kept)[: self.k]
        numbers = self.groups.of_rows(rows)
        if self.not_same:
            kept &= numbers != self.groups.of_rows(own)
        places = np.flatnonzero(kept)
        return places[first_of_groups(numbers[places])][: self.k]


def _lists(searcher: Searcher, block: Block, rule: _Rule, n: int) -> dict[int, _List]:
    """Return the lists of some rows; those that are not full yet are looked for four times as deep."""
    lists: dict[int, _List] = {}
    todo = np.arange(len(block.rows))
    depth = rule.k + 1 if rule.groups is None and not rule.not_same else rule.k + 33
    while len(todo):
        depth = min(depth, n)
        step = max(1, _MOST // depth)
        missing: list[int] = []
        for start in range(0, len(todo), step):
            part = todo[start : start + step]
            found = searcher.search(block.vectors[part], depth)
            for place, candidates, scores in zip(part.tolist(), found.rows, found.scores, strict=True):
                row = int(block.rows[place])
                kept = rule.places(row, candidates, scores)
                if len(kept) < rule.k and depth < n:
                    missing.append(place)
                else:
                    lists[row] = candidates[kept], scores[kept]
        todo, depth = np.array(missing, np.int64), depth * 4
    return lists
