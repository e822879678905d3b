"""A query as the request that travels; pictures go with it as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np

from ..collection.ensemble import Fusion
from ..collection.in_memory import pixels_of, png_of
from ..collection.likeness import Liking
from ..collection.multiview import Merge
from ..collection.queries import Searchable, understand
from ..collection.where import Where, understand_where
from ..errors import BadQuery
from ..images import read_source
from ..types import Query, QueryItem

__all__ = ["Asked", "SearchOptions", "ask"]

_PICTURES = ("path", "url", "stdin", "image")


class SearchOptions(TypedDict, total=False):
    """What ``search`` takes beside the query and k: the options of ``Collection.search``, and three more.

    - ``box``: x0, y0, x1, y1; search by this part of the query's one picture, in pixels, or in fractions where all are
      at most 1.
    - ``positive``, ``negative``: ids of images that a person has marked as what is wanted, and as what is not.
    """

    min_relevance: float | None
    not_same: bool
    group_by: str | None
    spaces: Mapping[str, float] | str | None
    fusion: Fusion
    where: Where | None
    merge: Merge
    metadata: str | Sequence[Liking]
    like: Mapping[str, Any] | None
    augment: str
    box: Sequence[float] | None
    positive: Sequence[str]
    negative: Sequence[str]


class Asked(NamedTuple):
    """A query, understood."""

    query: Query
    body: dict[str, Any]
    files: dict[str, bytes]


def ask(what: Searchable, options: SearchOptions) -> Asked:
    """Return the request of a search; reads the files that the query names.

    Raises:
        BadQuery: it cannot be understood. ImageError: a file cannot be read.
    """
    given: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if isinstance(what, (list, tuple)) and not what and given.get("positive"):
        # What a person marked is a query of its own. A Query is never empty, so these ids stand for it.
        query = Query(tuple(QueryItem("id", id) for id in given["positive"]))
        asked: tuple[QueryItem, ...] = ()
    else:
        query = understand(what)
        asked = query.items
    files: dict[str, bytes] = {}
    items = [_item(item, files) for item in asked]
    box = given.pop("box", None)
    if box is not None:
        pictures = [place for place, item in enumerate(asked) if item.kind in (*_PICTURES, "id")]
        if len(pictures) != 1:
            raise BadQuery(
                f"a box cuts the one picture of a query, and this one has {len(pictures)}.",
                hint="Search by one image file, a URL, id:... or stdin:.",
            )
        items[pictures[0]]["box"] = [float(edge) for edge in box]
    if "where" in given:
        given["where"] = [
            {"column": each.column, "op": each.op, "value": each.value} for each in understand_where(given["where"])
        ]
    if not isinstance(given.get("metadata", ""), str):
        given["metadata"] = ",".join(f"{each.column}:{each.kind}:{each.weight:g}" for each in given["metadata"])
    if isinstance(given.get("spaces"), Mapping):
        given["spaces"] = dict(given["spaces"])
    for marked in ("positive", "negative"):
        given[marked] = list(given.get(marked, ()))
    return Asked(query, {"query": {"items": items}, **given}, files)


def _item(item: QueryItem, files: dict[str, bytes]) -> dict[str, Any]:
    """Return one part of the query as it travels, and put its picture among the files."""
    answer: dict[str, Any] = {"kind": item.kind, "value": item.value, "weight": item.weight}
    if item.kind == "vector":
        return {**answer, "value": "", "vector": np.asarray(item.payload).tolist()}
    if item.payload is not None:
        data = item.payload if isinstance(item.payload, bytes) else png_of(pixels_of(item.payload))
    elif item.kind == "path":
        data = read_source(item.value)
    elif item.kind in ("stdin", "image"):
        raise BadQuery(f"the query {item.value!r} came without its picture.", hint="Give the bytes of the image.")
    else:
        return answer
    field = f"file{len(files)}"
    files[field] = data
    return {**answer, "kind": "upload", "value": field}
