"""What is said where a metadata column is asked for that no image has."""

from __future__ import annotations

from ..errors import BadInput
from ..nearest_name import did_you_mean
from ..protocols import Store

__all__ = ["check_column"]


def check_column(store: Store, column: str) -> None:
    """Refuse a column that is in no image's metadata, naming the nearest; reads all metadata to know them.

    Raises:
        BadInput: there is no such column.
    """
    names = {name for _, metadata in store.metadata() for name in metadata}
    if column in names:
        return  # all of its values are null
    have = ", ".join(sorted(names)[:12]) or "none"
    raise BadInput(
        f"no image in {store.path} has the metadata column {column!r}.",
        hint=did_you_mean(column, names) or f"Columns: {have}. Lists (CSV, Parquet) bring them.",
    )
