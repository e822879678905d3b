"""What the metadata of a collection is made of: the columns, and what a person may ask of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

from ..collection.where import number_of
from ..protocols import Store

__all__ = ["facets", "sampled"]

_LOOKED_AT = 1000  # records: a column that none of them has is not offered, though it can be asked for
_MOST_VALUES = 50  # a column with more is one of free text, where nobody looks through a list


def facets(store: Store) -> list[dict[str, Any]]:
    """Return the columns of the first records, each with its ``type`` and, where there are few, its ``values``.

    The type is ``number`` where every value reads as one, ``tags`` where one is a list, else ``text``. Values are
    texts, most frequent first.
    """
    seen: dict[str, Counter[str]] = {}
    types: dict[str, set[str]] = {}
    for _, metadata in islice(store.metadata(), _LOOKED_AT):
        for column, value in metadata.items():
            _count(value, seen.setdefault(column, Counter()), types.setdefault(column, set()))
    found = []
    for column, counts in seen.items():
        kinds = types[column]
        kind = "tags" if "tags" in kinds else "number" if kinds == {"number"} else "text"
        facet: dict[str, Any] = {"name": column, "type": kind}
        if kind != "number" and len(counts) <= _MOST_VALUES:
            facet["values"] = [value for value, _ in counts.most_common()]
        found.append(facet)
    return found


def _count(value: Any, counts: Counter[str], kinds: set[str]) -> None:
    if isinstance(value, list):
        kinds.add("tags")
        counts.update(each for each in value if isinstance(each, str))
    elif isinstance(value, bool):
        kinds.add("text")
        counts[str(value).lower()] += 1
    elif value is not None and not isinstance(value, Mapping):
        kinds.add("text" if number_of(value) is None else "number")
        if len(counts) <= _MOST_VALUES:
            counts[str(value)] += 1


def sampled(count: int, among: int) -> list[int]:
    """Return places of ``count`` of ``among`` things, evenly apart; all of them where there are no more."""
    return [place * among // count for place in range(count)] if among > count else list(range(among))
