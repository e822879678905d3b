"""A second look at what a search by vectors has found: is the query's picture really in there, and where?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ..errors import BadQuery, LookalikeError
from ..images import read_source
from ..images.decode import decode
from ..protocols import Matcher, Store
from ..types import Hit, Image, Match, Query
from .in_memory import pixels_of
from .pipeline import MAX_MEGAPIXELS, item_pixels
from .results import Results

__all__ = ["DEPTH", "query_picture", "verified"]

DEPTH = 100  # results that are looked at, unless somebody says otherwise
_WHOLE = 1_000_000  # pixels: more than any picture has, so that none is reduced


def query_picture(query: Query, store: Store, *, max_megapixels: float = MAX_MEGAPIXELS) -> Image:
    """Return the picture of a query of one picture, at its own size; a stored one is read from where it was indexed.

    Raises:
        BadQuery: words, a vector, several items, or an unknown id. ImageError: the picture is unusable.
    """
    item = query.items[0]
    if len(query.items) > 1 or item.kind in ("text", "vector"):
        raise BadQuery(
            "only a query of one picture can be looked for inside the results.",
            hint="Search by one image file, a URL, id:... or stdin:.",
        )
    if item.kind != "id":
        return pixels_of(item_pixels(item, _WHOLE, max_megapixels=max_megapixels))
    (record,) = store.get([item.value])
    if record is None:
        raise BadQuery(f"no image has the id {item.value!r} in {store.path}.")
    return decode(read_source(record.source), max_megapixels=max_megapixels).pixels


def verified(
    results: Results,
    query: Image,
    matcher: Matcher,
    *,
    k: int,
    workers: int | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> Results:
    """Return the k results that hold the query best, by what the matcher sees in the pictures themselves.

    A hit gets the place as its ``region`` and the matcher's score as ``verified``; its ``score`` stays that of the
    search. Equal ones stay in the order of the search. What cannot be read, or where there can be no match, comes last.

    Args:
        results: of a search, deeper than k: only these are looked at.
        query: (H, W, 3), what is looked for in each.
        matcher: what looks; it may be called by several threads.
        k: how many results, > 0.
        workers: threads; None: one a core.
        max_megapixels: larger pictures are not looked at.
    """

    def look(hit: Hit) -> Match | None:
        try:
            decoded = decode(
                read_source(hit.source),
                input_size=max(1, round(matcher.detail / 2.2)),  # as in ``find``: the detail is all there
                max_megapixels=max_megapixels,
            )
        except LookalikeError:  # gone, or damaged since it was indexed
            return None
        return matcher.match(query, decoded.pixels, original=(decoded.width, decoded.height))

    with ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="lookalike-verify") as pool:
        matches = list(pool.map(look, results.hits))
    hits = _ordered(results.hits, matches)[:k]
    unseen = sum(match is None for match in matches)
    note = results.note or (f"{unseen} of {len(matches)} results could not be looked at." if unseen else "")
    return replace(results, hits=tuple(hits), note=note)


def _ordered(hits: Sequence[Hit], matches: Sequence[Match | None]) -> list[Hit]:
    pairs = sorted(zip(hits, matches, strict=True), key=lambda pair: _order(pair[1]))
    return [
        replace(hit, rank=rank) if match is None else replace(hit, rank=rank, region=match.region, verified=match.score)
        for rank, (hit, match) in enumerate(pairs, start=1)
    ]


def _order(match: Match | None) -> tuple[bool, float]:
    return match is None, 0.0 if match is None else -match.score
