"""What a search gave for Q queries, judged: the one value that every metric is computed from.

Only the ranks of the relevant results are kept, so a ranking of the full base costs as much as its relevant items, and
100k queries never need a Q × N matrix. What is not ranked here is not relevant.

A metric takes the order as given. The order of a search is: higher score first, equal scores by lower row id;
``Judged.from_scores`` applies that rule, ``Candidates`` keep it already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, BadShape

__all__ = ["Judged"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[Any] | Sequence[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """The relevant results of Q queries, by rank; P of them were found in all.

    Prefer the constructors ``from_ranks``, ``from_ranked`` and ``from_scores``.

    Attributes:
        starts: int64 (Q + 1,); the results of query q are ``starts[q]:starts[q + 1]`` of ``ranks`` and ``grades``.
        ranks: int64 (P,), ranks of the relevant results, from 1, strictly ascending within a query.
        grades: float32 (P,), how relevant each is, > 0; 1 throughout when relevance is yes or no.
        total: int64 (Q,), relevant items in the base, found or not.
        cut: how many results of each query were judged; None when its ranking goes over the whole base.
        ideal: float32 (sum of total,), the grades of all relevant items, best first within a query; None if all are 1.
        scores: float32 (Q, K), the scores of the first K results, -inf in unused slots; only pooled metrics need it.
        classes: (Q,) the label of each query, for averages and resampling by class.
        query_ids: (Q,) names of the queries, for messages and for pairing two runs.
    """

    starts: Ints
    ranks: Ints
    grades: Floats
    total: Ints
    cut: int | None = None
    ideal: Floats | None = None
    scores: Floats | None = None
    classes: npt.NDArray[Any] | None = None
    query_ids: npt.NDArray[Any] | None = None

    def __post_init__(self) -> None:
        count = len(self.total)
        if self.starts.shape != (count + 1,) or self.ranks.shape != self.grades.shape or self.ranks.ndim != 1:
            raise BadShape(
                f"{count} queries need starts of shape ({count + 1},) and ranks and grades of one shape (P,), "
                f"got {self.starts.shape}, {self.ranks.shape} and {self.grades.shape}"
            )
        if len(self.ranks) != self.starts[-1] or self.starts[0] != 0 or (np.diff(self.starts) < 0).any():
            raise BadShape("starts must rise from 0 to the number of ranks")
        for name in ("classes", "query_ids"):
            given = getattr(self, name)
            if given is not None and given.shape != (count,):
                raise BadShape(f"{count} queries need {name} of shape ({count},), got {given.shape}")
        self._check_ranks()
        self._check_totals()
        self._check_scores()

    def __len__(self) -> int:
        return len(self.total)

    @classmethod
    def from_ranks(
        cls,
        query: npt.ArrayLike,
        ranks: npt.ArrayLike,
        *,
        total: npt.ArrayLike,
        grades: npt.ArrayLike | None = None,
        ideal: npt.ArrayLike | None = None,
        cut: int | None = None,
        scores: npt.ArrayLike | None = None,
        classes: Labels | None = None,
        query_ids: Labels | None = None,
    ) -> Judged:
        """Build from the ranks of the relevant results, in any order.

        Args:
            query: int (P,), the query (0..Q-1) of each relevant result.
            ranks: int (P,), its rank, from 1.
            total: int (Q,), relevant items in the base.
            grades: (P,), > 0; None for yes-or-no relevance.
            ideal: (sum of total,), the grades of all relevant items, query by query, in any order; needed when
                relevance is graded and not every relevant item was found.
            cut: results judged of each query; None for the whole base.
            scores: (Q, K) scores of the first K results, -inf in unused slots.
            classes: (Q,) labels of the queries.
            query_ids: (Q,) names of the queries.

        Raises:
            BadShape: shapes that do not fit, ranks that repeat or lie beyond the cut, more found than there are.
            BadInput: graded relevance without the ideal grades; scores that are NaN.
        """
        totals = _integers(total, "total")
        owner, flat = _integers(query, "query"), _integers(ranks, "ranks")
        if owner.shape != flat.shape:
            raise BadShape(f"query and ranks must share a shape (P,), got {owner.shape} and {flat.shape}")
        if len(owner) and (owner.min() < 0 or owner.max() >= len(totals)):
            raise BadShape(f"query must be in 0..{len(totals) - 1}, got {owner.min()}..{owner.max()}")
        order = np.lexsort((flat, owner))
        weights = np.ones(len(flat), np.float32) if grades is None else np.asarray(grades, np.float32)
        if weights.shape != flat.shape:
            raise BadShape(f"grades must have the shape of ranks, {flat.shape}, got {weights.shape}")
        starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(totals)))]).astype(np.int64)
        owner, weights = owner[order], weights[order]
        return cls(
            starts=starts,
            ranks=flat[order],
            grades=weights,
            total=totals,
            cut=cut,
            ideal=_ideal(owner, weights, totals, None if ideal is None else np.asarray(ideal, np.float32)),
            scores=None if scores is None else np.asarray(scores, np.float32),
            classes=_labels(classes),
            query_ids=_labels(query_ids),
        )

    @classmethod
    def from_ranked(
        cls, grades: npt.ArrayLike, *, total: npt.ArrayLike | None = None, whole: bool = False, **rest: Any
    ) -> Judged:
        """Build from the grades of the first K results of each query.

        Args:
            grades: (Q, K), in ranked order; 0 (or False) for what is not relevant and for unused slots.
            total: int (Q,), relevant items in the base; None counts those in ``grades`` and needs ``whole``.
            whole: the K results are the whole base, not its best K.
            **rest: ``ideal``, ``scores``, ``classes``, ``query_ids`` as in ``from_ranks``.
        """
        table = np.asarray(grades, np.float32)
        if table.ndim != 2:
            raise BadShape(f"grades must have the shape (Q, K), got {table.shape}")
        if not np.isfinite(table).all() or (table < 0).any():
            raise BadShape("grades must be finite and not negative: 0 for what is not relevant")
        if total is None:
            if not whole:
                raise BadInput(
                    "the number of relevant items in the base is missing.",
                    hint="Give total, or whole=True when the ranking goes over the whole base.",
                )
            total = (table > 0).sum(axis=1)
        query, slot = np.nonzero(table)
        cut = None if whole else table.shape[1]
        return cls.from_ranks(query, slot + 1, grades=table[query, slot], total=total, cut=cut, **rest)

    @classmethod
    def from_scores(
        cls, scores: npt.ArrayLike, grades: npt.ArrayLike, *, ignored: npt.ArrayLike | None = None, **rest: Any
    ) -> Judged:
        """Rank a small base by score, equal scores by lower column, and judge the whole ranking.

        Args:
            scores: (Q, N), higher is more alike.
            grades: (Q, N), 0 for what is not relevant.
            ignored: bool (Q, N), junk: taken out of the ranking before ranks are counted.
            **rest: ``classes``, ``query_ids`` as in ``from_ranks``.
        """
        values, table = np.asarray(scores, np.float32), np.asarray(grades, np.float32)
        if values.ndim != 2 or values.shape != table.shape:
            raise BadShape(f"scores and grades must share a shape (Q, N), got {values.shape} and {table.shape}")
        if ignored is not None:
            junk = np.asarray(ignored, np.bool_)
            values, table = np.where(junk, -np.inf, values), np.where(junk, 0, table)
        order = np.argsort(-values, axis=1, kind="stable")  # stable: ties stay in the order of columns
        ranked = np.take_along_axis(values, order, axis=1)
        return cls.from_ranked(np.take_along_axis(table, order, axis=1), whole=True, scores=ranked, **rest)

    @cached_property
    def owner(self) -> Ints:
        """int64 (P,), the query of each relevant result."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.starts))

    @cached_property
    def nth(self) -> Ints:
        """int64 (P,), 1 for the first relevant result of a query, 2 for its second, and so on."""
        return np.arange(1, len(self.ranks) + 1, dtype=np.int64) - self.starts[self.owner]

    @property
    def found(self) -> Ints:
        """int64 (Q,), relevant results found."""
        return np.diff(self.starts)

    @property
    def defined(self) -> npt.NDArray[np.bool_]:
        """(Q,), whether a query has anything to find."""
        return self.total > 0

    def within(self, limit: int | Ints | None) -> npt.NDArray[np.bool_]:
        """Return (P,): which relevant results lie in the first ``limit`` of their query; None for the whole base.

        Raises:
            BadInput: the limit goes beyond what was judged, and something relevant may lie there.
        """
        if self.cut is not None:
            unknown = self.found < self.total
            if limit is not None:
                unknown &= np.asarray(limit) > self.cut
            if unknown.any():
                first = int(np.argmax(unknown))
                raise BadInput(
                    f"only the first {self.cut} results of each query were judged, and {self.name(first)} has "
                    f"{self.total[first] - self.found[first]} relevant items beyond them.",
                    hint=f"Rank the whole base, or ask for a cut of at most {self.cut}.",
                )
        if limit is None:
            return np.ones(len(self.ranks), np.bool_)
        return self.ranks <= (limit if isinstance(limit, int) else limit[self.owner])

    def sums(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return (Q,): the sum of ``values`` (P,) over the relevant results of each query."""
        return np.bincount(self.owner, weights=values, minlength=len(self)).astype(np.float64, copy=False)

    def name(self, query: int) -> str:
        """Return what to call a query in a message."""
        return f"query {query}" if self.query_ids is None else f"query {self.query_ids[query]!s}"

    def with_classes(self, classes: Labels) -> Judged:
        """Return the same results with labels of the queries."""
        return replace(self, classes=_labels(classes))

    def _check_ranks(self) -> None:
        same = self.owner[1:] == self.owner[:-1]
        wrong = np.concatenate([self.ranks[:1] < 1, np.where(same, np.diff(self.ranks) <= 0, self.ranks[1:] < 1)])
        if wrong.any():
            at = int(np.argmax(wrong))
            raise BadShape(
                f"ranks must count from 1 and differ within a query; {self.name(int(self.owner[at]))} "
                f"has rank {self.ranks[at]} out of order or twice"
            )
        if self.cut is not None and (self.cut < 1 or (self.ranks > self.cut).any()):
            raise BadShape(f"ranks must lie in 1..{self.cut}, the results judged, got {self.ranks.max(initial=0)}")
        if not (np.isfinite(self.grades) & (self.grades > 0)).all():
            raise BadShape("the grades of relevant results must be finite and above 0")

    def _check_totals(self) -> None:
        over = self.found > self.total
        if over.any():
            first = int(np.argmax(over))
            raise BadShape(
                f"{self.name(first)} has {self.total[first]} relevant items in the base, "
                f"but {self.found[first]} were found"
            )
        if self.cut is None and (self.found < self.total).any():
            first = int(np.argmax(self.found < self.total))
            raise BadShape(
                f"the ranking of {self.name(first)} goes over the whole base, but only {self.found[first]} of its "
                f"{self.total[first]} relevant items are in it",
                hint="Give cut, the number of results judged, when the ranking is only the best of the base.",
            )
        if self.ideal is not None and len(self.ideal) != self.total.sum():
            raise BadShape(f"ideal needs the {self.total.sum()} grades of all relevant items, got {len(self.ideal)}")

    def _check_scores(self) -> None:
        if self.scores is None:
            return
        if self.scores.ndim != 2 or len(self.scores) != len(self):
            raise BadShape(f"{len(self)} queries need scores of shape ({len(self)}, K), got {self.scores.shape}")
        broken = np.isnan(self.scores)
        if broken.any():
            query, slot = np.argwhere(broken)[0]
            raise BadInput(
                f"{int(broken.sum())} scores are NaN, the first at rank {slot + 1} of {self.name(int(query))}.",
                hint="Look for NaN or zero vectors in what was searched.",
            )


def _integers(values: npt.ArrayLike, name: str) -> Ints:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise BadShape(f"{name} must be whole numbers of shape (n,), got {array.dtype} of shape {array.shape}")
    return array.astype(np.int64, copy=False)


def _labels(values: Labels | None) -> npt.NDArray[Any] | None:
    return None if values is None else np.asarray(values)


def _ideal(owner: Ints, grades: Floats, total: Ints, given: Floats | None) -> Floats | None:
    """Sort the grades of all relevant items, best first within a query; None when all are 1."""
    if given is None:
        if (grades == 1).all():
            return None
        if len(grades) != total.sum():
            raise BadInput(
                "relevance is graded and not every relevant item was found, so the best order is not known.",
                hint="Give ideal, the grades of all relevant items.",
            )
        given = grades
    else:
        owner = np.repeat(np.arange(len(total), dtype=np.int64), total)
    if given.shape != owner.shape:
        raise BadShape(f"ideal needs the {len(owner)} grades of all relevant items, got {given.shape}")
    if not (np.isfinite(given) & (given > 0)).all():
        raise BadShape("ideal grades must be finite and above 0")
    return given[np.lexsort((-given, owner))]
