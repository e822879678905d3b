"""Leaks said in words, before any figure, and taken out of the rankings where that is wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..collection import Collection
from ..images.printable import printable
from ..types import Rows
from .leaks import NEAR, Leaks, find_leaks
from .protocols.plan import Plan
from .truth.base import Pairs
from .truth.joining import Joined

__all__ = ["PlanLeaks", "between_sentences", "leaks_of_plan", "without_leaks"]

NAMED = 3


@dataclass(frozen=True, slots=True, eq=False)
class PlanLeaks:
    """The copies between the queries and the base of one plan.

    Attributes:
        leaks: the pairs.
        queries: how many queries in the collection were looked at.
        touched: how many of them have a copy.
        relevant: bool (P,), the truth says that the two belong together.
    """

    leaks: Leaks
    queries: int
    touched: int
    relevant: npt.NDArray[np.bool_]

    def to_json(self) -> dict[str, object]:
        """Return the counts, as ``lookalike evaluate --json`` gives them."""
        return {**self.leaks.to_json(), "queries": self.touched, "relevant": int(self.relevant.sum())}

    def sentences(self, collection: Collection) -> list[str]:
        """Return what a person should know before the figures."""
        leaks = self.leaks
        if not len(leaks):
            return [f"No query has a copy in the base ({_how(leaks)}).", *_unverified(leaks)]
        said = [
            f"{self.touched} of {self.queries} queries have a copy in the base: {_count(leaks)}, for example "
            f"{_examples(leaks, collection, collection)} ({_how(leaks)})."
        ]
        right = int(self.relevant.sum())
        if right:
            said.append(
                f"{right} of these pairs belong together by the truth: they are found whatever the search is worth; "
                "--exclude-leaks takes them out of the rankings."
            )
        if right < len(leaks):
            said.append(f"{len(leaks) - right} of them do not: there the truth itself may be wrong.")
        return said + _unverified(leaks)


def leaks_of_plan(collection: Collection, joined: Joined, plan: Plan, *, threshold: float = NEAR) -> PlanLeaks:
    """Look for copies of the plan's queries in what they search; queries from outside are passed over."""
    queries = np.unique(np.concatenate([part.queries for part in plan.parts] or [np.empty(0, np.int64)]))
    rows = joined.rows[queries]
    inside = np.unique(rows[rows >= 0])
    bases = [part.base for part in plan.parts]
    listed = [base for base in bases if base is not None]
    base = np.unique(np.concatenate(listed)) if listed and len(listed) == len(bases) else None
    leaks = find_leaks(collection, inside, base_rows=base, threshold=threshold)
    return PlanLeaks(leaks, len(inside), len(leaks.touched(inside)), _relevant(joined, plan, leaks))


def _relevant(joined: Joined, plan: Plan, leaks: Leaks) -> npt.NDArray[np.bool_]:
    position = _positions(joined, leaks.rows_a)
    known = position >= 0
    found = np.zeros(len(leaks), np.bool_)
    found[known] = plan.relevance.pair_grades(position[known], leaks.rows_b[known]) > 0
    return found


def _positions(joined: Joined, rows: Rows) -> npt.NDArray[np.int64]:
    """Return the position in the truth of each row (P,); -1 where it has none."""
    order = np.argsort(joined.rows, kind="stable")
    at = np.minimum(np.searchsorted(joined.rows, rows, sorter=order), max(len(order) - 1, 0))
    place = order[at]
    return np.where(joined.rows[place] == rows, place, -1)


def without_leaks(joined: Joined, leaks: Leaks) -> Joined:
    """Return the truth with the copies as junk of one another: taken out of the rankings before anything is counted.

    A copy that the truth does not name stays in the base; it is relevant to nothing.
    """
    a, b = _positions(joined, leaks.rows_a), _positions(joined, leaks.rows_b)
    both = (a >= 0) & (b >= 0)
    a, b = a[both], b[both]
    fresh = np.stack([np.concatenate([a, b]), np.concatenate([b, a])], axis=1)
    truth = joined.truth
    variants = {name: (right, _with(junk, fresh)) for name, (right, junk) in truth.variants.items()}
    return replace(joined, truth=replace(truth, junk=_with(truth.junk, fresh), variants=variants))


def _with(junk: Pairs | None, fresh: npt.NDArray[np.int64]) -> Pairs:
    old = np.empty((0, 2), np.int64) if junk is None else np.stack([junk.query, junk.item], axis=1)
    table = np.unique(np.concatenate([old, fresh]), axis=0)
    return Pairs(table[:, 0], table[:, 1], np.zeros(len(table), np.float32))


def between_sentences(leaks: Leaks, train: Collection, test: Collection) -> list[str]:
    """Return what to say of copies of training images among the tested ones."""
    if not len(leaks):
        return [f"No tested image is a copy of one of {train.path} ({_how(leaks)}).", *_unverified(leaks)]
    tested = len(np.unique(leaks.rows_b))
    return [
        f"{tested} of {len(test)} tested images are copies of images of {train.path}: {_count(leaks)}, for example "
        f"{_examples(leaks, train, test)} ({_how(leaks)}).",
        *_unverified(leaks),
    ]


def _count(leaks: Leaks) -> str:
    exact = int(leaks.exact.sum())
    return f"{exact} pairs of equal bytes, {len(leaks) - exact} of equal pixels"


def _how(leaks: Leaks) -> str:
    if np.isnan(leaks.threshold):
        return "bytes were compared, not pixels"
    return f"bytes, and pixels of pairs that score {leaks.threshold:.3g} or more, were compared"


def _unverified(leaks: Leaks) -> list[str]:
    if not leaks.unverified:
        return []
    return [
        f"{leaks.unverified} more pairs score that high; their pixels were not compared: too many, or images that "
        "could not be read here."
    ]


def _examples(leaks: Leaks, left: Collection, right: Collection) -> str:
    pairs = []
    sides = (left.store.get_rows(leaks.rows_a[:NAMED]), right.store.get_rows(leaks.rows_b[:NAMED]))
    for first, second in zip(*sides, strict=True):
        if first is not None and second is not None:
            pairs.append(f"{printable(first.id)} = {printable(second.id)}")
    return ", ".join(pairs)
