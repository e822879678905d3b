"""What a protocol asks the engine to do: who searches, among which images, and what is taken out of the rankings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...errors import BadInput
from ..truth.base import Ints, Pairs, Same
from ..truth.joining import Joined
from .relevance import Base, ByPair, Relevance, spans

__all__ = ["Ignored", "Part", "Plan", "queries_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Queries that search one base.

    Attributes:
        queries: int64 (q,), positions in the truth.
        base: row ids that are searched; None for the whole collection.
    """

    queries: Ints
    base: Ints | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plan:
    """One run.

    Attributes:
        name: the protocol's name.
        parts: the queries, with the base of each.
        relevance: what is right.
        ignored: what is taken out of rankings, besides the query's own image.
        drop_lone: leave out queries that have nothing to find; else they are kept without a value, and counted.
        facts: more that the result says of the protocol; JSON values.
        tags: one a query, in front of its id, where the same image asks more than once (episodes).
    """

    name: str
    parts: tuple[Part, ...]
    relevance: Relevance
    ignored: Ignored
    drop_lone: bool = False
    facts: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] | None = None


def queries_of(joined: Joined) -> Ints:
    """Return the positions of the queries.

    Raises:
        BadInput: the truth does not say which images are queries.
    """
    if joined.queries is None:
        raise BadInput(
            f"{joined.truth.path} does not say which images are queries.",
            hint="Name a folder of them (--queries), or use the protocol leave-one-out or chosen.",
        )
    return joined.queries


class Ignored:
    """The rows that are taken out of the ranking of each query: junk pairs, and those that share a column's value."""

    def __init__(self, joined: Joined, *, junk: Pairs | None = None, same: tuple[Same, ...] = ()) -> None:
        self._rows = joined.rows
        self._junk = None if junk is None or not len(junk) else ByPair(joined, _all_count(junk))
        self._rules = [self._groups(joined, rule) for rule in same]

    def rows(self, queries: Ints, base: Base) -> tuple[Ints, Ints]:
        """Return owner (P,) and row (P,) of what each of (q,) queries ignores in the base, its own image included.

        Sorted by owner, then row; no pair comes twice.
        """
        own = self._rows[queries]
        inside = (own >= 0) & base.holds(own)
        owners, rows = [np.flatnonzero(inside)], [own[inside]]
        if self._junk is not None:
            owner, row, _ = self._junk.items(queries)
            kept = base.holds(row)
            owners.append(owner[kept])
            rows.append(row[kept])
        for group, members, starts in self._rules:
            mine = group[queries]
            some = np.flatnonzero(mine >= 0)
            owner, at = spans(starts[mine[some]], starts[mine[some] + 1])
            row = members[at]
            kept = base.holds(row)
            owners.append(some[owner[kept]])
            rows.append(row[kept])
        owner, row = np.concatenate(owners), np.concatenate(rows)
        if len(owners) == 1:
            return owner, row
        stride = int(row.max(initial=0)) + 1
        keys = np.unique(owner * stride + row)
        return keys // stride, keys % stride

    @staticmethod
    def _groups(joined: Joined, rule: Same) -> tuple[Ints, Ints, Ints]:
        """Return the group of each item (M,), -1 for none; the rows in the order of groups; and where each starts."""
        keys = rule.codes.astype(np.int64)
        labels = joined.truth.labels
        if rule.with_label and labels is not None:
            # An item with several labels is met by none of them here: such rules are for one identity an image.
            single = labels.sizes == 1
            first = np.where(single, labels.codes[np.minimum(labels.starts[:-1], max(len(labels.codes) - 1, 0))], 0)
            keys = np.where(single & (keys >= 0), keys * (len(labels.names) + 1) + first, -1)
        group = np.full(len(keys), -1, np.int64)
        known = keys >= 0
        group[known] = np.unique(keys[known], return_inverse=True)[1]
        present = np.flatnonzero(known & (joined.rows >= 0))
        order = present[np.argsort(group[present], kind="stable")]
        starts = np.searchsorted(group[order], np.arange(int(group.max(initial=-1)) + 2))
        return group, joined.rows[order], starts


def _all_count(junk: Pairs) -> Pairs:
    return Pairs(junk.query, junk.item, np.ones(len(junk), np.float32))
