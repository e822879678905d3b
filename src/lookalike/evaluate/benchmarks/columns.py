"""Columns that a benchmark's table must have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import BadInput
from ..truth.tables import column

__all__ = ["column_of"]


def column_of(path: Path, header: Sequence[str], name: str) -> int:
    """Return the place of a column.

    Raises:
        BadInput: there is none.
    """
    found = column(header, (name,))
    if found is None:
        raise BadInput(
            f"{path} has no column {name!r}; its first line is {','.join(header)!r}.",
            hint="Is this the benchmark's folder?",
        )
    return found
