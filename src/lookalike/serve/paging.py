"""Pages that hold while images come and go: a cursor names the last hit that was shown, not how many there were."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..collection import Results
from ..errors import BadQuery, OverLimit
from ..types import Hit

__all__ = ["Page", "find_page"]

_CURSOR = struct.Struct("<8sdqI")  # digest of the request, score, row, hits shown so far
_SLACK = 32  # further hits that are looked at for those that new images have pushed down


class Page(NamedTuple):
    """The hits of one page; ``shown`` is how many there were before."""

    results: Results
    hits: Sequence[Hit]
    shown: int
    next: str | None


def find_page(
    search: Callable[[int], Results], k: int, *, request: bytes, offset: int, cursor: str | None, max_depth: int
) -> Page:
    """Return k hits after those that were shown.

    Exact scores depend on the two vectors alone, and equal ones stand by row, so the place after a hit is well defined
    also when images before it were added or removed meanwhile: nothing is shown twice, nothing that stayed is missed.

    Args:
        search: returns the first n hits.
        k: hits of a page.
        request: what is asked for, without its place; a cursor of another request is refused.
        offset: hits to pass over, where there is no cursor.
        cursor: of the page before.
        max_depth: how many hits deep paging goes.

    Raises:
        BadQuery: the cursor is not of this request. OverLimit: too deep.
    """
    digest = hashlib.sha256(request).digest()[:8]
    if cursor is None:
        _check_depth(offset + k, max_depth)
        # One more than is shown says whether there is a next page.
        results = search(min(offset + k + 1, max_depth + 1))
        page = results.hits[offset : offset + k]
        return Page(results, page, offset, _next(digest, page, offset, len(results) > offset + k, max_depth))
    score, row, shown = _read(cursor, digest)
    _check_depth(shown + k, max_depth)
    depth = shown + k + _SLACK
    while True:
        results = search(depth)
        left = [hit for hit in results.hits if (-hit.score, hit.row) > (-score, row)]
        if len(left) > k or len(results) < depth:
            hits = left[:k]
            return Page(results, hits, shown, _next(digest, hits, shown, len(left) > k, max_depth))
        depth *= 2


def _next(digest: bytes, hits: Sequence[Hit], before: int, more: bool, max_depth: int) -> str | None:
    shown = before + len(hits)
    if not hits or not more or shown >= max_depth:
        return None
    packed = _CURSOR.pack(digest, hits[-1].score, hits[-1].row, shown)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _read(cursor: str, digest: bytes) -> tuple[float, int, int]:
    try:
        found = _CURSOR.unpack(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, struct.error):
        raise BadQuery("the cursor is not one of this server's.", hint="Give `next` of the page before.") from None
    if found[0] != digest:
        raise BadQuery(
            "the cursor belongs to another search.", hint="Send the same request again, with the cursor added."
        )
    return found[1], found[2], found[3]


def _check_depth(depth: int, most: int) -> None:
    if depth > most:
        raise OverLimit(f"paging goes {most} hits deep, got {depth}.", hint="Narrow the search instead.")
