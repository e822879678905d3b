"""What "the same as the query" is: its own record, files of the same bytes, near-copies, and its product group."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import numpy as np

from ..images import read_source
from ..protocols import Searcher, Store
from ..types import Query, QueryItem, Record, Rows, Vectors, VectorSpace
from .choosing import Same
from .confidence import COPIES
from .grouping import Groups

__all__ = ["near_score", "own_rows", "same_as"]


def near_score(space: VectorSpace, store: Store) -> float:
    """Return the least score of near-copies: as the collection's own images tell it; equal vectors by l2."""
    if space.similarity == "l2":
        return 0.0
    return float(store.setting(f"near_copies:{space.name}") or COPIES[1])


def same_as(
    query: Query,
    store: Store,
    space: VectorSpace,
    searcher: Searcher,
    vector_of: Callable[[QueryItem], Vectors],
    groups: Groups | None = None,
    *,
    by_score: bool = True,
) -> Same:
    """Return what a search leaves out that is for more like the query, not for the same.

    Words have no copies, and what is taken away from a query is nothing it could find. Of several pictures each has
    its own copies, which are searched for one by one.

    Args:
        query: what is searched for.
        store: the records.
        space: what is searched.
        searcher: the search by vectors.
        vector_of: gives (1, D) of an item; called where the ranking's scores do not tell.
        groups: product groups; those of the query's own records are left out.
        by_score: the ranking's scores are those of the space, so that they tell the near-copies of a single item.
    """
    pictures = [item for item in query.items if item.kind != "text" and item.weight > 0]
    own = np.unique(np.array([row for item in pictures for row in own_rows(item, store)], np.int64))
    if groups is not None and len(own):
        own = np.union1d(own, groups.rows[np.isin(groups.numbers, groups.of_rows(own))])
    least = near_score(space, store)
    if by_score and len(query.items) == 1:
        return Same(own, least if pictures else np.inf)
    near = [_near(vector_of(item), searcher, least) for item in pictures]
    return Same(np.unique(np.concatenate([own, *near])))


def own_rows(item: QueryItem, store: Store) -> list[int]:
    """Return the rows of what an item is in the store: its own record, then those of files of the same bytes."""
    records: list[Record | None] = []
    data: bytes | None = None
    if item.kind == "id":
        records = store.get([item.value])
    elif item.kind == "url":
        records = store.known([item.value])
    elif item.kind == "path":
        source = os.path.abspath(item.value)
        records, data = store.known([source]), read_source(source)
    elif isinstance(item.payload, bytes):
        data = item.payload
    found = [record for record in records if record is not None]
    hashes = {record.content_hash for record in found if record.content_hash}
    if data is not None:
        hashes.add(hashlib.sha256(data).hexdigest())
    return [record.row for record in found] + [row for each in sorted(hashes) for row in store.same_bytes(each)]


def _near(vector: Vectors, searcher: Searcher, least: float) -> Rows:
    depth = 64
    while True:
        found = searcher.search(vector, depth)
        near = (found.rows[0] >= 0) & (found.scores[0] >= least)
        if not near.all():
            rows: Rows = found.rows[0][near]
            return rows
        depth *= 4
