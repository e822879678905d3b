"""A search request as the query that the one pipeline runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..collection.cropping import cropped
from ..detect.box import Box
from ..errors import BadInput, BadQuery, OverLimit
from ..protocols import Embedder
from ..types import Query, QueryItem
from . import wire
from .collections import Served
from .encoding import from_base64
from .originals import original
from .settings import Settings

__all__ = ["Asked", "ask"]

# Rocchio's weights of what a person marked (Manning, Raghavan, Schütze: Introduction to Information Retrieval, 9.1.1).
LIKED, DISLIKED = 0.75, 0.15
_MOST, _LEAST = 1e3, 1e-3  # of a weight: beyond, one item is the whole query or none of it

Fetch = Callable[[str], bytes]


class Asked(NamedTuple):
    """A request, understood."""

    query: Query
    query_id: str  # what the click log calls it
    images: Sequence[bytes]  # the pictures that came with it


def ask(
    request: wire.SearchRequest | wire.ExplainRequest,
    uploads: Mapping[str, bytes],
    served: Served,
    settings: Settings,
    fetch: Fetch,
) -> Asked:
    """Return the query of a request; fetches and decodes, so it runs in a thread.

    Args:
        request: the body.
        uploads: name of a multipart field -> bytes of its file. Those that no item names are items of their own, taken
            away where the name begins with ``negative``.
        served: the collection.
        settings: limits.
        fetch: returns the bytes behind a URL.

    Raises:
        BadInput, BadQuery: it cannot be understood. ImageError: a picture is unusable. OverLimit: too many parts.
    """
    asked = list(request.query.items)
    named = {item.value for item in asked if item.kind == "upload"}
    for field in uploads:
        if field not in named:
            weight = -1.0 if field.startswith("negative") else 1.0
            asked.append(wire.QueryItem(kind="upload", value=field, weight=weight))
    if len(asked) + len(request.positive) + len(request.negative) > settings.max_items:
        raise OverLimit(f"a query has at most {settings.max_items} parts.", hint="Leave some out.")
    items: list[QueryItem] = []
    images: list[bytes] = []
    for place, part in enumerate(asked):
        item = _item(part, f"item {place}", uploads, served, fetch)
        if isinstance(item.payload, bytes) and part.kind != "id":
            images.append(item.payload)
        items.append(_cut(item, part.box, served, settings) if part.box is not None else item)
    items += _judged(items, request.positive, request.negative)
    if not items:
        raise BadQuery("there is nothing to search for.", hint="Give query.items, an upload or positive ids.")
    if all(item.weight < 0 for item in items):
        raise BadQuery("a query needs at least one item that is not taken away.", hint="Give one a positive weight.")
    return Asked(Query(tuple(items)), _query_id(items, images), images)


def _item(part: wire.QueryItem, where: str, uploads: Mapping[str, bytes], served: Served, fetch: Fetch) -> QueryItem:
    if not _LEAST <= abs(part.weight) <= _MOST:
        raise BadInput(
            f"{where}: a weight is from {_LEAST:g} to {_MOST:g}, or that below zero, got {part.weight:g}.",
            hint="Weights say how much of each item there is, compared with the others.",
        )
    if part.vector is not None and part.kind != "vector":
        raise BadInput(f"{where}: a vector goes with the kind vector, not {part.kind!r}.")
    if part.kind == "vector":
        return QueryItem("vector", f"<vector {len(part.vector or ())}>", part.weight, _vector(part, where, served))
    if not part.value:
        raise BadInput(f"{where}: the {part.kind} is empty.", hint='Give it as "value".')
    if part.kind == "image":
        return QueryItem("image", "<image>", part.weight, from_base64(part.value, where))
    if part.kind == "upload":
        if part.value not in uploads:
            there = ", ".join(uploads) or "none"
            raise BadInput(f"{where}: no file came in the field {part.value!r}.", hint=f"Files came in: {there}.")
        return QueryItem("image", "<upload>", part.weight, uploads[part.value])
    if part.kind == "url":
        return QueryItem("url", part.value, part.weight, fetch(part.value))
    return QueryItem(part.kind, part.value, part.weight)


def _vector(part: wire.QueryItem, where: str, served: Served) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    space = served.collection.space
    numbers = part.vector or []
    if len(numbers) != space.width:
        raise BadInput(f"{where}: a vector of {space.name!r} has {space.width} numbers, got {len(numbers)}.")
    if space.kind == "bits":
        if not all(number == int(number) and 0 <= number <= 255 for number in numbers):
            raise BadInput(f"{where}: a vector of {space.name!r} is bytes of packed bits, 0 to 255.")
        return np.array(numbers, np.uint8)
    with np.errstate(over="ignore"):
        vector = np.array(numbers, np.float64).astype(np.float32)
    if not np.isfinite(vector).all():
        raise BadInput(f"{where}: a number of the vector is too large.")
    return vector


def _cut(item: QueryItem, box: Sequence[float], served: Served, settings: Settings) -> QueryItem:
    if item.kind == "id":
        (record,) = served.collection.store.get([item.value])
        if record is None:
            raise BadQuery(f"no image has the id {item.value!r}.")
        item = replace(item, kind="image", payload=original(record, served))
    query, _ = cropped(Query((item,)), lambda: _model(served), box=Box(*box), max_megapixels=settings.max_megapixels)
    return query.items[0]


def _model(served: Served) -> Embedder:
    return served.embedder or served.collection.embedder  # the latter says why there is none


def _judged(items: Sequence[QueryItem], liked: Sequence[str], disliked: Sequence[str]) -> list[QueryItem]:
    """Return what a person marked as further items: the query moves towards the one and away from the other."""
    total = sum(abs(item.weight) for item in items)
    like, dislike = (LIKED * total, DISLIKED * total) if items else (1.0, DISLIKED / LIKED)
    return [
        *(QueryItem("id", id, like / len(liked)) for id in liked),
        *(QueryItem("id", id, -dislike / len(disliked)) for id in disliked),
    ]


def _query_id(items: Sequence[QueryItem], images: Sequence[bytes]) -> str:
    """Return what the click log calls a query; the same query always gets the same."""
    names = []
    pictures = iter(images)
    for item in items:
        if item.kind in ("image", "url") or isinstance(item.payload, bytes):
            data = next(pictures, b"")
            names.append(f"sha256:{hashlib.sha256(data).hexdigest()}")
        elif item.kind == "vector":
            names.append(f"vector:{hashlib.sha256(np.asarray(item.payload).tobytes()).hexdigest()[:32]}")
        else:
            names.append(item.value if item.kind == "id" and len(items) == 1 else f"{item.kind}:{item.value}")
    if len(names) == 1:
        return names[0]
    return " ".join(f"{item.weight:+g}*{name}" for item, name in zip(items, names, strict=True))
