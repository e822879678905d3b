"""Metadata as a part of the score: how alike two values of a column are, in [0, 1], times a weight.

With the picture's score s and the likenesses l of the columns for which the query has a value, the score of an image is
(s + sum of weight × l) / (1 + sum of weights). An image without a value has the likeness 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, BadQuery
from ..protocols import Store
from ..types import Rows
from .columns import check_column
from .where import number_of, parse_condition, tags_of

__all__ = [
    "Kind",
    "Likenesses",
    "Liking",
    "parse_columns",
    "parse_like",
    "parse_likings",
    "understand_likings",
    "with_likeness",
]

Kind = Literal["auto", "number", "log", "tags", "same"]
Doubles = npt.NDArray[np.float64]
Ranked = tuple[Rows, npt.NDArray[np.floating]]

_WIDE = 100.0  # positive numbers whose largest is so many times the smallest are compared by ratio
_DEEPER = 4


@dataclass(frozen=True, slots=True)
class Liking:
    """One column's part in the score.

    Attributes:
        column: the name of a metadata column.
        weight: > 0, beside 1 for the picture.
        kind: ``number``: exp(-|a - b| / spread), where the spread is the distance of the column's quartiles. ``log``:
            the same of logarithms, for sizes and prices, where a ratio counts. ``tags``: shared tags over all tags of
            the two (Jaccard). ``same``: 1 for an equal value, else 0. ``auto``: numbers are ``log`` where all are above
            0 and the largest is at least 100 times the smallest, else ``number``; lists, and texts with commas,
            semicolons or bars, are tags; other values ``same``.
    """

    column: str
    weight: float
    kind: Kind = "auto"
    optional: bool = False  # a query that has none of the columns is searched without them

    def __post_init__(self) -> None:
        if not self.column or not 0 < self.weight < math.inf:
            raise BadInput(f"the weight of the column {self.column!r} must be above 0 and finite, got {self.weight}.")
        if self.kind not in get_args(Kind):
            raise BadInput(
                f"unknown kind {self.kind!r} of {self.column!r}.", hint=f"Known: {', '.join(get_args(Kind))}."
            )


def parse_likings(text: str) -> tuple[Liking, ...]:
    """Understand ``tags:0.2,price:log:0.1``: columns, each with its weight, with its kind before it where one is given.

    Raises:
        BadInput: an empty name, one that comes twice, no weight, or one that is not above 0.
    """
    found: list[Liking] = []
    for part in text.split(","):
        name, _, tail = part.strip().rpartition(":")
        column, _, kind = name.rpartition(":")
        if kind not in get_args(Kind) or not column:
            column, kind = name, "auto"
        try:
            weight = float(tail)
        except ValueError:
            weight = math.nan
        if not column or not 0 < weight < math.inf or column in [each.column for each in found]:
            raise BadInput(
                f"{text!r} does not name columns with weights above 0, each once.",
                hint="Write COLUMN:WEIGHT or COLUMN:KIND:WEIGHT, such as tags:0.2,price:log:0.1.",
            )
        found.append(Liking(column, weight, cast(Kind, kind)))
    return tuple(found)


def parse_columns(text: str) -> tuple[Liking, ...]:
    """Understand ``tags,price:log``: columns without weights, each with its kind where one is given; "" is none.

    Raises:
        BadInput: an empty name, or one that comes twice.
    """
    parts = [part.strip() for part in text.split(",")] if text else []
    return parse_likings(",".join(f"{part}:1" if part else "" for part in parts)) if parts else ()


def understand_likings(given: str | Sequence[Liking]) -> tuple[Liking, ...]:
    """Return the columns that a caller means; an empty text is none."""
    return (parse_likings(given) if given else ()) if isinstance(given, str) else tuple(given)


def parse_like(texts: Sequence[str]) -> dict[str, Any]:
    """Understand ``price=20``: what the query's metadata is, where it is not that of a stored image.

    Raises:
        BadInput: not of the form COLUMN=VALUE.
    """
    found: dict[str, Any] = {}
    for text in texts:
        condition = parse_condition(text)
        if condition.op != "=":
            raise BadInput(f"{text!r} does not give a value.", hint="Write COLUMN=VALUE, such as price=20.")
        found[condition.column] = condition.value
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """A column as numbers: rows with a value, and a function that compares a value with all of them."""

    rows: Rows  # ascending
    compare: Callable[[Any], Doubles]  # a JSON value -> (N,) in [0, 1]


class Likenesses:
    """The columns of a store, laid out for comparing; kept until the store changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = -1
        self._known: dict[tuple[str, Kind], _Column] = {}

    def of(self, likings: Sequence[Liking], values: Mapping[str, Any]) -> tuple[Rows, Doubles, float]:
        """Return the rows with any likeness, ascending, the sum of weight × likeness of each, and the sum of weights.

        Args:
            likings: the columns that count; one that the values do not have is left out.
            values: the query's metadata.

        Raises:
            BadInput: a column that no image has. BadQuery: the values have none of them, and one is not optional.
        """
        used = [each for each in likings if values.get(each.column) is not None]
        for each in likings:
            self._column(each)  # a misspelt column is told, whatever the query has
        if not used and all(each.optional for each in likings):
            return np.empty(0, np.int64), np.empty(0), 0.0
        if not used:
            names = ", ".join(each.column for each in likings)
            raise BadQuery(
                f"the query has no value for {names}, so metadata cannot be a part of its score.",
                hint="Search by a stored image that has one (id:...), or give it: --like COLUMN=VALUE.",
            )
        columns = [self._column(each) for each in used]
        rows: Rows = np.unique(np.concatenate([column.rows for column in columns]))
        total = np.zeros(len(rows))
        for each, column in zip(used, columns, strict=True):
            total[np.searchsorted(rows, column.rows)] += each.weight * column.compare(values[each.column])
        some = total > 0
        return rows[some], total[some], sum(each.weight for each in used)

    def _column(self, liking: Liking) -> _Column:
        version = self._store.version
        if version != self._version:
            self._version, self._known = version, {}
        key = (liking.column, liking.kind)
        if key not in self._known:
            self._known[key] = self._read(liking)
        return self._known[key]

    def _read(self, liking: Liking) -> _Column:
        pairs = list(self._store.column(liking.column))
        if not pairs and self._store.count():
            check_column(self._store, liking.column)
        kind = _kind([value for _, value in pairs]) if liking.kind == "auto" else liking.kind
        return {"number": _numbers, "log": _logarithms, "tags": _tags, "same": _equals}[kind](pairs)


def with_likeness(
    first: Callable[[int], Ranked],
    scores_of: Callable[[Rows], Ranked],
    likeness: tuple[Rows, Doubles, float],
) -> Callable[[int], Ranked]:
    """Return the ranking by (score + likeness) / (1 + weights), exactly the one that scoring every image would give.

    The best of both lists are looked at, deeper and deeper, until nothing further down either of them could be among
    the results: an image outside scores at most as if it had the last score and the last likeness that were looked at
    (Fagin, Lotem and Naor, "Optimal aggregation algorithms for middleware", PODS 2001: the threshold algorithm).

    Args:
        first: gives the first n rows and scores of the pictures' own ranking; fewer only where there are no more.
        scores_of: gives, of ascending rows, those that the ranking has, with their scores.
        likeness: as ``Likenesses.of`` gives it.
    """
    liked, amounts, weights = likeness
    best = np.lexsort((liked, -amounts))

    def ranking(depth: int) -> Ranked:
        looked = 2 * depth + 64
        while True:
            rows, scores = first(looked)
            last = float(scores[-1]) if len(rows) >= looked else -math.inf
            extra = np.sort(np.setdiff1d(liked[best[:looked]], rows))
            if len(extra):
                more = scores_of(extra)
                rows, scores = np.concatenate([rows, more[0]]), np.concatenate([scores, more[1]])
            total = (scores.astype(np.float64) + _look_up(rows, liked, amounts)) / (1 + weights)
            order = np.lexsort((rows, -total))[:depth]
            further = float(amounts[best[looked]]) if len(best) > looked else 0.0
            bound = (last + further) / (1 + weights)
            if last == -math.inf or (len(order) == depth and total[order[-1]] > bound):
                return rows[order], total[order]
            looked *= _DEEPER

    return ranking


def _look_up(rows: Rows, liked: Rows, amounts: Doubles) -> Doubles:
    if not len(liked):
        return np.zeros(len(rows))
    at = np.minimum(np.searchsorted(liked, rows), len(liked) - 1)
    return np.where(liked[at] == rows, amounts[at], 0.0)


def _kind(values: Sequence[Any]) -> Kind:
    numbers = [number_of(value) for value in values]
    if all(number is not None for number in numbers):
        known = [float(number) for number in numbers if number is not None]
        return "log" if known and min(known) > 0 and max(known) >= _WIDE * min(known) else "number"
    several = any(isinstance(value, list) or (isinstance(value, str) and len(tags_of(value)) > 1) for value in values)
    return "tags" if several else "same"


def _numbers(pairs: Sequence[tuple[int, Any]]) -> _Column:
    return _distances(pairs, float, number_of)


def _logarithms(pairs: Sequence[tuple[int, Any]]) -> _Column:
    def positive(value: Any) -> float | None:
        number = number_of(value)
        return None if number is None or number <= 0 else float(number)

    return _distances(pairs, math.log, positive)


def _distances(
    pairs: Sequence[tuple[int, Any]], scale: Callable[[float], float], read: Callable[[Any], float | int | None]
) -> _Column:
    known = [(row, scale(number)) for row, value in pairs if (number := read(value)) is not None]
    values = np.array([value for _, value in known])
    spread = float(np.subtract(*np.percentile(values, [75, 25]))) if len(values) else 0.0
    spread = spread or (float(values.std()) if len(values) else 0.0) or 1.0

    def compare(value: Any) -> Doubles:
        number = read(value)
        if number is None:
            return np.zeros(len(values))
        return np.asarray(np.exp(-np.abs(values - scale(number)) / spread))

    return _Column(np.array([row for row, _ in known], np.int64), compare)


def _tags(pairs: Sequence[tuple[int, Any]]) -> _Column:
    known: dict[str, int] = {}
    owners: list[int] = []
    codes: list[int] = []
    sizes: list[int] = []
    for place, (_, value) in enumerate(pairs):
        some = {known.setdefault(_name(tag), len(known)) for tag in tags_of(value)}
        owners += [place] * len(some)
        codes += some
        sizes.append(len(some))
    owner, code, size = np.array(owners, np.int64), np.array(codes, np.int64), np.array(sizes, np.int64)

    def compare(value: Any) -> Doubles:
        wanted = {_name(tag) for tag in tags_of(value)}
        mine = np.array([known[name] for name in wanted if name in known], np.int64)
        shared = np.bincount(owner[np.isin(code, mine)], minlength=len(size))
        return np.asarray(shared / np.maximum(size + len(wanted) - shared, 1))

    return _Column(np.array([row for row, _ in pairs], np.int64), compare)


def _equals(pairs: Sequence[tuple[int, Any]]) -> _Column:
    known: dict[str, int] = {}
    codes = np.array([known.setdefault(_name(value), len(known)) for _, value in pairs], np.int64)

    def compare(value: Any) -> Doubles:
        return np.asarray(codes == known.get(_name(value), -1), np.float64)

    return _Column(np.array([row for row, _ in pairs], np.int64), compare)


def _name(value: Any) -> str:
    """Return a text that equal values share: 20, 20.0 and "20" are equal, as they are in conditions."""
    number = number_of(value)
    if number is not None:
        return f"number {float(number)!r}"
    return f"text {str(value).lower() if isinstance(value, bool) else value}"
