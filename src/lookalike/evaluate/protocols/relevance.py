"""How relevant a found row is to a query: by lookup in arrays, never pair by pair in Python.

Two kinds keep one small protocol, ``Relevance``. Yes-or-no labels only count how many are relevant; explicit pairs and
graded labels list them, because graded metrics need the best order.
"""

from __future__ import annotations

from copy import copy
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..truth.base import Ints, LabelSets, Overlap, Pairs
from ..truth.joining import Joined

__all__ = ["Base", "ByLabel", "ByPair", "Listed", "Relevance", "relevance_of", "spans"]

Grades = npt.NDArray[np.float32]
Listed = tuple[Ints, Ints, Grades]  # owner (P,), 0..q-1; row (P,); grade (P,) > 0

_MOST_LISTED = 200_000_000  # graded label pairs that are listed at most: 4 GB
_AT_ONCE = 1 << 24  # bytes of label bits, or pairs of label sets, that are compared at a time
_OVERFLOW = -1


class Base:
    """What is searched: some rows, or the whole collection of a known size."""

    def __init__(self, rows: Ints | None, size: int) -> None:
        self.rows = None if rows is None else np.unique(rows)
        self.size = size if self.rows is None else len(self.rows)

    def holds(self, rows: Ints) -> npt.NDArray[np.bool_]:
        """Return which rows are in it; -1 is not."""
        if self.rows is None:
            return rows >= 0
        if not len(self.rows):
            return np.zeros(rows.shape, np.bool_)
        at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        held: npt.NDArray[np.bool_] = self.rows[at] == rows
        return held


class Relevance(Protocol):
    """Knows how relevant rows are to queries, which are positions in the truth."""

    @property
    def listed(self) -> bool:
        """Whether relevant items are listed by ``items``, else counted by ``totals``."""
        ...

    def grades(self, queries: Ints, rows: Ints) -> Grades:
        """Return (q, k) grades of rows (q, k); 0 for what is not relevant, and for row -1."""
        ...

    def pair_grades(self, queries: Ints, rows: Ints) -> Grades:
        """Return (n,) grades of rows (n,) for queries (n,)."""
        ...

    def within(self, base: Base) -> Relevance:
        """Return the same, knowing only the rows of a base."""
        ...

    def totals(self, queries: Ints) -> Ints:
        """Return (q,): how many rows are relevant, the query's own image among them."""
        ...

    def items(self, queries: Ints) -> Listed:
        """Return the relevant rows, the query's own image among them."""
        ...

    def some(self, query: int, limit: int) -> Ints:
        """Return relevant rows of one query, best grade first, at least ``limit`` if there are as many."""
        ...


class ByPair:
    """Relevance said pair by pair."""

    listed = True

    def __init__(self, joined: Joined, pairs: Pairs) -> None:
        rows = joined.rows[pairs.item]
        kept = (rows >= 0) & (pairs.grades > 0)
        self._stride = int(joined.rows.max(initial=0)) + 2
        keys = pairs.query[kept] * self._stride + rows[kept]
        order = np.argsort(keys, kind="stable")
        # Two names of one image may make one pair of two: the first counts.
        self._keys, first = np.unique(keys[order], return_index=True)
        self._grades = pairs.grades[kept][order][first]

    def grades(self, queries: Ints, rows: Ints) -> Grades:
        """Return (q, k) grades of rows (q, k)."""
        return self.pair_grades(np.broadcast_to(queries[:, None], rows.shape), rows)

    def pair_grades(self, queries: Ints, rows: Ints) -> Grades:
        """Return the grades of rows for queries of one shape."""
        if not len(self._keys):
            return np.zeros(rows.shape, np.float32)
        known = (rows >= 0) & (rows < self._stride)
        keys = np.where(known, queries * self._stride + rows, _OVERFLOW)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._grades[at], np.float32(0))

    def within(self, base: Base) -> ByPair:
        """Return the same, knowing only the rows of a base."""
        if base.rows is None:
            return self
        inside = base.holds(self._keys % self._stride)
        made = copy(self)
        made._keys, made._grades = self._keys[inside], self._grades[inside]
        return made

    def totals(self, queries: Ints) -> Ints:
        """Return (q,): how many rows are relevant."""
        first, last = self._span(queries)
        counts: Ints = last - first
        return counts

    def items(self, queries: Ints) -> Listed:
        """Return the relevant rows."""
        owner, at = spans(*self._span(queries))
        return owner, self._keys[at] % self._stride, self._grades[at]

    def some(self, query: int, limit: int) -> Ints:
        """Return the relevant rows of one query, best grade first."""
        first, last = np.searchsorted(self._keys, (query * self._stride, (query + 1) * self._stride))
        order = np.argsort(-self._grades[first:last], kind="stable")[:limit]
        rows: Ints = self._keys[first:last][order] % self._stride
        return rows

    def _span(self, queries: Ints) -> tuple[Ints, Ints]:
        first, last = (np.searchsorted(self._keys, (queries + more) * self._stride) for more in (0, 1))
        return first, last


class ByLabel:
    """Relevance by shared labels; items are known by their *set* of labels, of which there are far fewer than items."""

    def __init__(self, joined: Joined, labels: LabelSets, overlap: Overlap) -> None:
        self._overlap = overlap
        self._labels = labels
        self._set_of_item, members = _sets(labels)
        self._sets = members  # (S, L) bool packed to bytes (S, W); None when no item has two labels
        self._several = members is not None
        present = np.flatnonzero(joined.rows >= 0)
        self._table = np.full(int(joined.rows.max(initial=0)) + 2, -1, np.int64)  # row -> set; the last slot is unknown
        self._table[joined.rows[present]] = self._set_of_item[present]
        owner, at = spans(labels.starts[present], labels.starts[present + 1])
        order = np.lexsort((joined.rows[present[owner]], labels.codes[at]))
        self._restrict(np.sort(joined.rows[present]), joined.rows[present[owner]][order], labels.codes[at][order])

    def _restrict(self, rows: Ints, members: Ints, codes: Ints) -> None:
        """Keep what depends on the base: its rows, its rows by label with the label of each, its sets' sizes."""
        self._rows, self._members, self._codes = rows, members, codes
        self._first = np.searchsorted(codes, np.arange(len(self._labels.names) + 1))
        kinds = self._table[rows]
        self._held = np.bincount(kinds[kinds >= 0], minlength=int(self._set_of_item.max(initial=0)) + 1)

    def within(self, base: Base) -> ByLabel:
        """Return the same, knowing only the rows of a base."""
        if base.rows is None:
            return self
        made = copy(self)
        inside = base.holds(self._members)
        made._restrict(self._rows[base.holds(self._rows)], self._members[inside], self._codes[inside])
        return made

    @property
    def listed(self) -> bool:
        """Graded overlaps are listed, because the best order is needed."""
        return self._several and self._overlap != "any"

    def grades(self, queries: Ints, rows: Ints) -> Grades:
        """Return (q, k) grades of rows (q, k)."""
        return self._compare(self._set_of_item[queries][:, None], self._lookup(rows))

    def pair_grades(self, queries: Ints, rows: Ints) -> Grades:
        """Return (n,) grades of rows (n,)."""
        return self._compare(self._set_of_item[queries], self._lookup(rows))

    def totals(self, queries: Ints) -> Ints:
        """Return (q,): how many rows share a label with the query."""
        own = self._set_of_item[queries]
        if self._sets is None:
            return np.where(own >= 0, self._held[own], 0)
        unique, inverse = np.unique(own, return_inverse=True)
        counts = np.zeros(len(unique), np.int64)
        other = np.flatnonzero(self._held)
        step = max(1, _AT_ONCE // max(len(other), 1))
        for start in range(0, len(unique), step):
            part = slice(start, start + step)
            counts[part] = (self._compare(unique[part, None], other[None]) > 0) @ self._held[other]
        return counts[inverse]

    def items(self, queries: Ints) -> Listed:
        """Return the rows that share a label with the query, and how much they overlap.

        Raises:
            BadInput: there are more than memory should hold.
        """
        if (count := int(self.totals(queries).sum())) > _MOST_LISTED:
            raise BadInput(
                f"the queries have {count:,} graded relevant pairs, more than the {_MOST_LISTED:,} that are listed.",
                hint="Count shared labels as yes or no (--overlap any), or give fewer queries.",
            )
        kinds = self._table[self._rows]
        parts: list[Listed] = []
        step = max(1, _AT_ONCE // max(len(kinds), 1))
        for start in range(0, len(queries), step):
            table = self._compare(self._set_of_item[queries[start : start + step], None], kinds[None])
            query, at = np.nonzero(table)
            parts.append((query + start, self._rows[at], table[query, at]))
        owner, rows, grades = (np.concatenate(some) for some in zip(*parts, strict=True))
        return owner, rows, grades

    def some(self, query: int, limit: int) -> Ints:
        """Return rows that share a label with one query; the best overlap first among those looked at."""
        codes = self._labels.codes[self._labels.starts[query] : self._labels.starts[query + 1]]
        parts = [self._members[self._first[code] : self._first[code + 1]][: 8 * limit] for code in codes.tolist()]
        if len(parts) == 1:
            return parts[0][:limit]
        rows = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)
        grades = self.pair_grades(np.full(len(rows), query), rows)
        return rows[np.argsort(-grades, kind="stable")][:limit]

    def _lookup(self, rows: Ints) -> Ints:
        return self._table[np.minimum(rows, len(self._table) - 1)]  # row -1 is the last slot too: unknown

    def _compare(self, first: Ints, second: Ints) -> Grades:
        """Return the grade of two sets of labels, by their numbers; shapes broadcast; -1 shares nothing."""
        known = (first >= 0) & (second >= 0)
        if self._sets is None:
            same: Grades = ((first == second) & known).astype(np.float32)
            return same
        shape = known.shape
        out = np.zeros(shape, np.float32)
        left, right = np.broadcast_to(first, shape), np.broadcast_to(second, shape)
        step = max(1, _AT_ONCE // max(shape[-1] * self._sets.shape[1], 1)) if len(shape) > 1 else len(known) or 1
        for start in range(0, len(known), step):
            part = slice(start, start + step)
            a, b = self._sets[left[part]], self._sets[right[part]]
            shared = np.bitwise_count(a & b).sum(axis=-1, dtype=np.float32)
            if self._overlap == "jaccard":
                shared /= np.maximum(np.bitwise_count(a | b).sum(axis=-1, dtype=np.float32), 1)
            elif self._overlap == "any":
                shared = (shared > 0).astype(np.float32)
            out[part] = shared
        return np.where(known, out, np.float32(0))


def relevance_of(joined: Joined, pairs: Pairs | None = None) -> Relevance:
    """Return the relevance of a joined truth; ``pairs`` in place of its own, for one of its variants."""
    truth = joined.truth
    if pairs is None:
        pairs = truth.pairs
    if pairs is not None:
        return ByPair(joined, pairs)
    if truth.labels is None:
        raise BadInput(
            f"the truth of {truth.path} counts in several ways.", hint=f"One of: {', '.join(truth.variants)}"
        )
    return ByLabel(joined, truth.labels, truth.overlap)


def spans(first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Return owner (P,) and place (P,) of the places ``first[i]:last[i]`` of each i."""
    sizes = last - first
    owner = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
    before = np.cumsum(sizes) - sizes
    return owner, np.arange(len(owner), dtype=np.int64) - before[owner] + first[owner]


def _sets(labels: LabelSets) -> tuple[Ints, npt.NDArray[np.uint8] | None]:
    """Return the number of each item's set of labels (M,), -1 for none, and the sets as bits (S, W); None if single."""
    sizes = labels.sizes
    out = np.full(len(labels), -1, np.int64)
    if sizes.max(initial=0) <= 1:
        some = sizes > 0
        out[some] = labels.codes
        return out, None
    known: dict[bytes, int] = {}
    width = len(labels.names)
    bits: list[npt.NDArray[np.uint8]] = []
    for item in np.flatnonzero(sizes).tolist():
        codes = labels.codes[labels.starts[item] : labels.starts[item + 1]]
        number = known.setdefault(codes.tobytes(), len(known))
        if number == len(bits):
            member = np.zeros(width, np.bool_)
            member[codes] = True
            bits.append(np.packbits(member))
        out[item] = number
    return out, np.stack(bits)
