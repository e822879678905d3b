"""Results as the JSON that travels: plain dictionaries, since validating what we made ourselves only costs time."""

from __future__ import annotations

import time
from typing import Any

from ..collection import Results
from ..collection.results import region_to_json
from ..images.printable import printable
from ..types import Hit, Record
from .settings import Settings

__all__ = ["hit_answer", "links", "query_answer", "record_answer"]

Json = dict[str, Any]


def query_answer(results: Results) -> Json:
    """Return the query as it was understood, as the command line prints it."""
    items = [{"kind": item.kind, "value": printable(item.value), "weight": item.weight} for item in results.query.items]
    return {"items": items}


def links(name: str, row: int, content_hash: str, settings: Settings) -> Json:
    """Return where the pictures of a record are, relative to the server; they change when the picture does."""
    base = f"{settings.root_path.rstrip('/')}/v1/collections/{name}"
    version = f"?v={content_hash[:12]}" if content_hash else ""
    found = {"thumbnail": f"{base}/thumbnails/{row}{version}"}
    if settings.originals != "none":
        found["link"] = f"{base}/images/{row}{version}"
    return found


def hit_answer(hit: Hit, rank: int, name: str, settings: Settings, *, flagged: bool = False) -> Json:
    """Return one hit; optional keys are absent rather than null."""
    answer: Json = {
        "rank": rank,
        "id": hit.id,
        "row": hit.row,
        "score": round(hit.score, 6),
        "scores": {hit.found_by: round(hit.score, 6)},
        "found_by": hit.found_by,
        "metadata": hit.metadata,
        "width": hit.width,
        "height": hit.height,
        **links(name, hit.row, hit.content_hash, settings),
    }
    if hit.relevance is not None:
        answer["relevance"] = round(hit.relevance, 6)
    if hit.group is not None:
        answer["group"] = {"by": hit.group.by, "value": hit.group.value, "size": hit.group.size}
    if hit.region is not None:
        answer["region"] = region_to_json(hit.region)
    if settings.show_sources:
        answer["source"] = printable(hit.source)
    if flagged:
        answer["flagged"] = True
    return answer


def record_answer(record: Record, name: str, settings: Settings) -> Json:
    """Return a stored image."""
    answer: Json = {
        "id": record.id,
        "row": record.row,
        "width": record.width,
        "height": record.height,
        "metadata": record.metadata,
        "content_hash": record.content_hash,
        "indexed": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.indexed_ns / 1e9)),
        **links(name, record.row, record.content_hash, settings),
    }
    if settings.show_sources:
        answer["source"] = printable(record.source)
    return answer
