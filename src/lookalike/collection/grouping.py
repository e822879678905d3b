"""Which images belong together by a value of their metadata: several views of one object, a product, a photographer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocols import Store
from ..types import Group, Rows
from .columns import check_column

__all__ = ["Groups", "groups_by", "of_same_bytes"]

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """A partition of rows by a value.

    Attributes:
        by: the name of the metadata column.
        rows: int64 (N,), strictly ascending; those that have a value.
        numbers: int64 (N,), in [0, G): the group of each.
        values: (G,) JSON values.
        sizes: int64 (G,): how many rows have the value.
    """

    by: str
    rows: Rows
    numbers: Numbers
    values: tuple[Any, ...]
    sizes: Numbers

    @classmethod
    def of(cls, by: str, pairs: Iterable[tuple[int, Any]]) -> Groups:
        """Group (row, value) pairs whose rows ascend; a value of None is no value. 1, "1" and true are different."""
        rows: list[int] = []
        numbers: list[int] = []
        known: dict[str, int] = {}
        values: list[Any] = []
        for row, value in pairs:
            if value is None:
                continue
            number = known.setdefault(json.dumps(value, sort_keys=True), len(known))
            if number == len(values):
                values.append(value)
            rows.append(row)
            numbers.append(number)
        of_rows = np.array(numbers, np.int64)
        sizes = np.bincount(of_rows, minlength=len(values)).astype(np.int64, copy=False)
        return cls(by, np.array(rows, np.int64), of_rows, tuple(values), sizes)

    def of_rows(self, rows: Rows) -> Numbers:
        """Return the group of each row, of any shape. One without a value is alone: -1 - row, so below 0."""
        if not len(self.rows):
            return -1 - rows
        at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where(self.rows[at] == rows, self.numbers[at], -1 - rows)

    def shown(self, row: int) -> Group:
        """Return what a hit says of its group."""
        number = int(self.of_rows(np.array([row], np.int64))[0])
        return Group(self.by, None, 1) if number < 0 else Group(self.by, self.values[number], int(self.sizes[number]))


def groups_by(store: Store, column: str) -> Groups:
    """Return the groups of a metadata column, of all records as they are now.

    Raises:
        BadInput: no record has the column.
    """
    found = Groups.of(column, store.column(column))
    if not len(found.rows):
        check_column(store, column)
    return found


def of_same_bytes(store: Store) -> Groups:
    """Return the groups of records whose files have the same bytes."""
    return Groups.of("content", ((record.row, record.content_hash or None) for record in store.records()))
