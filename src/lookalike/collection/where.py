"""Conditions on metadata, and the rows that fulfil them: ``price<20``, ``brand=acme``, ``tags contains red``.

One language for the command line (texts), Python (texts or ``Condition``) and the service (JSON). Several conditions
must all hold.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np

from ..errors import BadInput
from ..protocols import Store
from ..types import Rows
from .columns import check_column

__all__ = ["Condition", "Filter", "Op", "Where", "number_of", "parse_condition", "tags_of", "understand_where"]

Op = Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains", "missing"]

# What ``search(where=...)`` takes: one condition or several, each as text, as an object, or as JSON has it.
Where: TypeAlias = "str | Condition | Mapping[str, Any] | Sequence[str | Condition | Mapping[str, Any]]"

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SPLIT = re.compile(
    r"""\s*(?:"(?P<quoted>[^"]+)"|(?P<column>.+?))
    (?:\s*(?P<sign>!=|<=|>=|==|=|<|>)\s*(?P<value>.*)
      |\s+(?P<word>in|contains)\s+(?P<values>.*)
      |\s+(?P<missing>missing)\s*)$""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # as JSON writes them: 007 is a text
_PARTED = re.compile(r"[,;|]")
_KEPT = 32  # answers that a filter remembers

_WRITE = "Write COLUMN=VALUE (or != < <= > >=), COLUMN in A,B, COLUMN contains TAG, or COLUMN missing."


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a column of the metadata.

    Values that both read as numbers (``20``, ``"20.0"``; not ``"007"``) are compared as numbers, others as texts, by
    the letter; true and false are texts. A list has every one of its elements: ``tags=red`` holds for
    ``["red", "blue"]``.

    Attributes:
        column: the name of a top-level key of the metadata.
        op: ``=``; ``!=``, whatever ``=`` does not hold for, images without the column too; ``<``, ``<=``, ``>``,
            ``>=``: a bound that reads as a number is compared with numbers only, another one with texts, by code points
            (dates as 2024-01-31); ``in``: one of several values; ``contains``: an element of a list, or of a text that
            is parted by commas, semicolons or bars; ``missing``: no value, or null.
        value: a text, number, true or false; for ``in`` a sequence of them; for ``missing`` nothing, None.

    Raises:
        BadInput: no such operator, or a value that does not go with it.
    """

    column: str
    op: Op
    value: Any = None

    def __post_init__(self) -> None:
        if not self.column or not isinstance(self.column, str):
            raise BadInput(f"a condition needs the name of a column, got {self.column!r}.", hint=_WRITE)
        if self.op not in get_args(Op):
            raise BadInput(f"unknown operator {self.op!r}.", hint=f"Known: {' '.join(get_args(Op))}.")
        if self.op == "in":
            if isinstance(self.value, (str, bytes)) or not isinstance(self.value, Sequence) or not self.value:
                raise BadInput(f"'in' takes a list of values, got {self.value!r}.", hint="Such as color in red,blue.")
            object.__setattr__(self, "value", tuple(self.value))
        for each in self.value if self.op == "in" else [self.value]:
            if self.op == "missing" and each is not None:
                raise BadInput(f"'missing' takes no value, got {each!r}.", hint=f"Write {self.column} missing.")
            if self.op != "missing" and not _is_scalar(each):
                raise BadInput(
                    f"{self.column!r} {self.op} cannot be compared with {each!r}.",
                    hint="Values are texts, finite numbers, true and false; for no value use missing.",
                )

    def holds(self, value: Any) -> bool:
        """Say whether it holds for a JSON value; None is no value."""
        if self.op == "missing":
            return value is None
        if self.op == "!=":
            return not _has(value, self.value)
        if value is None:
            return False
        if self.op == "=":
            return _has(value, self.value)
        if self.op == "in":
            return any(_has(value, each) for each in self.value)
        if self.op == "contains":
            return any(_equal(tag, self.value) for tag in tags_of(value))
        return _ordered(value, self.value, _ORDER[self.op])


class Filter:
    """The rows of a store that fulfil conditions; remembers its last answers until the store changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = -1
        self._known: dict[str, Rows] = {}

    def rows(self, conditions: Sequence[Condition]) -> Rows:
        """Return, ascending, the int64 rows for which all conditions hold, as the store is now.

        Raises:
            BadInput: a column that no image has.
        """
        version = self._store.version
        if version != self._version or len(self._known) > _KEPT:
            self._version, self._known = version, {}
        if not conditions:
            return self._all()
        found = [self._one(condition) for condition in conditions]
        together = found[0]
        for rows in found[1:]:
            together = np.intersect1d(together, rows, assume_unique=True)
        return together

    def _one(self, condition: Condition) -> Rows:
        key = repr(condition)  # a condition itself is no key: 1 == True
        if key not in self._known:
            self._known[key] = self._found(condition)
        return self._known[key]

    def _found(self, condition: Condition) -> Rows:
        inverted = condition.holds(None)  # images without the column are not walked over, and fulfil it
        rows: list[int] = []
        count = 0
        for row, value in self._store.column(condition.column):
            count += 1
            if condition.holds(value) != inverted:
                rows.append(row)
        if not count and self._store.count():
            check_column(self._store, condition.column)
        found = np.array(rows, np.int64)
        return np.setdiff1d(self._all(), found, assume_unique=True) if inverted else found

    def _all(self) -> Rows:
        return np.fromiter(self._store.rows(), np.int64)


def parse_condition(text: str) -> Condition:
    """Understand ``price<20``, ``brand=acme``, ``size in S,M``, ``tags contains red``, ``price missing``.

    A column whose name has an operator in it stands in double quotes. Spaces around the operator do not matter.

    Raises:
        BadInput: no operator, or nothing in front of it.
    """
    found = _SPLIT.match(text)
    if found is None:
        raise BadInput(f"{text!r} is not a condition on metadata.", hint=_WRITE)
    column = found["quoted"] or found["column"].strip()
    if found["missing"]:
        return Condition(column, "missing")
    if found["word"]:
        values = found["values"].strip()
        if found["word"] == "in":
            return Condition(column, "in", [part.strip() for part in values.split(",")])
        return Condition(column, "contains", values)
    sign = "=" if found["sign"] == "==" else found["sign"]
    return Condition(column, cast(Op, sign), found["value"].strip())


def understand_where(where: Where | None) -> tuple[Condition, ...]:
    """Return the conditions that a caller means; JSON is ``{"column": ..., "op": ..., "value": ...}``.

    Raises:
        BadInput: a text that is no condition, or JSON with other keys.
    """
    if where is None:
        return ()
    if isinstance(where, (str, Condition, Mapping)):
        where = [where]
    if not isinstance(where, Iterable):
        raise BadInput(f"conditions are texts or objects, got {where!r}.", hint=_WRITE)
    return tuple(_understood(each) for each in where)


def _understood(given: object) -> Condition:
    if isinstance(given, Condition):
        return given
    if isinstance(given, str):
        return parse_condition(given)
    keys = set(given) if isinstance(given, Mapping) else set()
    if not isinstance(given, Mapping) or not {"column", "op"} <= keys <= {"column", "op", "value"}:
        raise BadInput(
            f"a condition needs column, op and value, got {given!r}.",
            hint='Such as {"column": "price", "op": "<", "value": 20}.',
        )
    return Condition(given["column"], given["op"], given.get("value"))


def number_of(value: Any) -> float | int | None:
    """Return the finite number that a value is or reads as; None for any other. True and false are no numbers."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    found = _NUMBER.fullmatch(value.strip())
    if found is None:
        return None
    if not found[1] and not found[2]:
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def tags_of(value: Any) -> list[Any]:
    """Return the tags in a value: a list's elements, a text's parts between commas, semicolons and bars, or itself."""
    if value is None or isinstance(value, Mapping):
        return []
    if isinstance(value, str):
        return [part for part in map(str.strip, _PARTED.split(value)) if part]
    return [each for each in value if each is not None] if isinstance(value, list) else [value]


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))


def _has(value: Any, wanted: Any) -> bool:
    return any(_equal(each, wanted) for each in value) if isinstance(value, list) else _equal(value, wanted)


def _equal(value: Any, wanted: Any) -> bool:
    if not _is_scalar(value):
        return False
    one, other = number_of(value), number_of(wanted)
    if one is not None and other is not None:
        return one == other
    return _text(value) == _text(wanted)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ordered(value: Any, bound: Any, keeps: Callable[[Any, Any], bool]) -> bool:
    limit = number_of(bound)
    if limit is not None:
        number = number_of(value)
        return number is not None and keeps(number, limit)
    return isinstance(value, str) and keeps(value, _text(bound))
