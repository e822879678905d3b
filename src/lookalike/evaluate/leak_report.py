"""Leaks said in words, before any figure, and taken out of the rankings where that is wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..collection import Collection
from ..images.printable import printable
from ..types import Rows
from .leaks import NEAR, Leaks, find_leaks, find_outside_leaks
from .protocols.plan import Plan
from .truth.base import Ints, Pairs
from .truth.joining import Joined

__all__ = ["PlanLeaks", "between_sentences", "leaks_of_plan", "without_leaks"]

NAMED = 3


@dataclass(frozen=True, slots=True, eq=False)
class PlanLeaks:
    """The P pairs of copies between the queries and the base of one plan, of equal bytes first.

    Attributes:
        inside: of queries that are in the collection.
        outside: of queries that are not; its ``rows_a`` count these.
        queries: how many queries were looked at.
        touched: how many of them have a copy.
        first, second: int64 (P,), positions in the truth of both, -1 for what it does not name.
        relevant: bool (P,), the truth says that the two belong together.
        examples: a few pairs, in words.
    """

    inside: Leaks
    outside: Leaks
    queries: int
    touched: int
    first: Ints
    second: Ints
    relevant: npt.NDArray[np.bool_]
    examples: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.inside) + len(self.outside)

    def to_json(self) -> dict[str, object]:
        """Return the counts, as ``lookalike evaluate --json`` gives them."""
        facts: dict[str, object] = self.inside.to_json()
        for name in ("exact", "near", "changed", "unverified", "unaligned"):
            facts[name] = self.inside.to_json()[name] + self.outside.to_json()[name]
        return {**facts, "queries": self.touched, "relevant": int(self.relevant.sum())}

    def sentences(self) -> list[str]:
        """Return what a person should know before the figures."""
        if not len(self):
            left = _unverified(self.inside, self.outside)
            none = (
                "No copy of a query was found in the base, as far as was looked"
                if left
                else ("No query has a copy in the base")
            )
            return [f"{none} ({_how(self.inside)}).", *left]
        said = [
            f"{self.touched} of {self.queries} queries have a copy in the base: {_count(self.inside, self.outside)}, "
            f"for example {', '.join(self.examples)} ({_how(self.inside)})."
        ]
        right = int(self.relevant.sum())
        if right:
            said.append(
                f"{right} of these pairs belong together by the truth: they are found whatever the search is worth; "
                "--exclude-leaks takes them out of the rankings."
            )
        if right < len(self):
            said.append(f"{len(self) - right} of them do not: there the truth itself may be wrong.")
        return said + _unverified(self.inside, self.outside)


def leaks_of_plan(collection: Collection, joined: Joined, plan: Plan, *, threshold: float = NEAR) -> PlanLeaks:
    """Look for copies of the plan's queries in what they search, be the queries in the collection or not."""
    queries = np.unique(np.concatenate([part.queries for part in plan.parts] or [np.empty(0, np.int64)]))
    rows = joined.rows[queries]
    bases = [part.base for part in plan.parts]
    listed = [base for base in bases if base is not None]
    base = np.unique(np.concatenate(listed)) if listed and len(listed) == len(bases) else None
    inside = find_leaks(collection, rows[rows >= 0], base_rows=base, threshold=threshold)
    loose = joined.outside
    asked = [at for at in queries[rows < 0].tolist() if loose is not None and at in loose.place]
    vectors, paths = np.empty((0, collection.space.width), collection.space.dtype), []
    if loose is not None and asked:
        vectors = loose.vectors[[loose.place[at] for at in asked]]
        paths = [loose.sources[loose.place[at]] for at in asked]
    outside = find_outside_leaks(collection, vectors, paths, base_rows=base, threshold=threshold)
    first = np.concatenate([_positions(joined, inside.rows_a), np.array(asked, np.int64)[outside.rows_a]])
    second = np.concatenate([inside.rows_b, outside.rows_b])
    touched = len(inside.touched(rows[rows >= 0])) + len(np.unique(outside.rows_a))
    names = [*_named(collection, inside.rows_a), *(paths[at] for at in outside.rows_a[:NAMED].tolist())]
    others = [*_named(collection, inside.rows_b), *_named(collection, outside.rows_b)]
    return PlanLeaks(
        inside=inside,
        outside=outside,
        queries=len(np.unique(rows[rows >= 0])) + len(asked),
        touched=touched,
        first=first,
        second=_positions(joined, second),
        relevant=_relevant(plan, first, second),
        examples=tuple(f"{printable(a)} = {printable(b)}" for a, b in zip(names, others, strict=True))[:NAMED],
    )


def _relevant(plan: Plan, first: Ints, rows: Rows) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(first), np.bool_)
    known = first >= 0
    found[known] = plan.relevance.pair_grades(first[known], rows[known]) > 0
    return found


def _positions(joined: Joined, rows: Rows) -> Ints:
    """Return the position in the truth of each row (P,); -1 where it has none."""
    order = np.argsort(joined.rows, kind="stable")
    at = np.minimum(np.searchsorted(joined.rows, rows, sorter=order), max(len(order) - 1, 0))
    place = order[at]
    return np.where(joined.rows[place] == rows, place, -1)


def without_leaks(joined: Joined, found: PlanLeaks) -> Joined:
    """Return the truth with the copies as junk of one another: taken out of the rankings before anything is counted.

    A copy that the truth does not name stays in the base; it is relevant to nothing.
    """
    both = (found.first >= 0) & (found.second >= 0)
    a, b = found.first[both], found.second[both]
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
        left = _unverified(leaks)
        none = (
            f"No copy of an image of {train.path} was found among the tested, as far as was looked"
            if left
            else (f"No tested image is a copy of one of {train.path}")
        )
        return [f"{none} ({_how(leaks)}).", *left]
    tested = len(np.unique(leaks.rows_b))
    pairs = zip(_named(train, leaks.rows_a), _named(test, leaks.rows_b), strict=True)
    examples = ", ".join(f"{printable(a)} = {printable(b)}" for a, b in pairs)
    return [
        f"{tested} of {len(test)} tested images are copies of images of {train.path}: {_count(leaks)}, for example "
        f"{examples} ({_how(leaks)}).",
        *_unverified(leaks),
    ]


def _count(*parts: Leaks) -> str:
    exact = sum(int(part.exact.sum()) for part in parts)
    changed = sum(int(part.changed.sum()) for part in parts)
    pairs = "1 pair" if exact == 1 else f"{exact} pairs"
    near = sum(map(len, parts)) - exact - changed
    return f"{pairs} of equal bytes, {near} of equal pixels, {changed} cropped, turned a little or without colours"


def _how(leaks: Leaks) -> str:
    what = ["bytes"]
    if not np.isnan(leaks.threshold):
        pairs = "as many pairs as could be" if leaks.unverified else "pairs"
        what.append(f"the pixels of {pairs} that score {leaks.threshold:.3g} or more")
    if leaks.nearest:
        also = ", and of what is alike in grey" if leaks.everything else ""
        what.append(f"the details of each query's {leaks.nearest} nearest{also}")
    said = f"{', '.join(what)} were compared"
    return said if leaks.nearest else f"{said}; crops, small rotations and grey copies were not looked for: too many"


def _unverified(*parts: Leaks) -> list[str]:
    said = []
    if count := sum(part.unverified for part in parts):
        said.append(
            f"{count} more pairs score that high; their pixels were not compared: too many, or images that could not "
            "be read here."
        )
    if count := sum(part.unaligned for part in parts):
        said.append(
            f"{count} pairs of near neighbours were not laid over one another, for the same reasons: crops, small "
            "rotations and grey copies among them are not found."
        )
    return said


def _named(collection: Collection, rows: Rows) -> list[str]:
    """Return the ids of the first few rows."""
    return ["?" if record is None else record.id for record in collection.store.get_rows(rows[:NAMED].tolist())]
