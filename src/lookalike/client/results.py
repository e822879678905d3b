"""Hits, records and results of a server: those of a collection, with the addresses of their pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, overload
from urllib.parse import urljoin

from ..collection.results import Results, hit_to_json
from ..types import Group, Hit, Query, Record, Region

if TYPE_CHECKING:
    from ..serve import wire

__all__ = ["RemoteHit", "RemoteRecord", "RemoteResults", "hit_of", "record_of", "results_of"]


@dataclass(frozen=True, slots=True)
class RemoteHit(Hit):
    """A ``Hit`` of a server.

    ``source`` is where the image lies on the server where the operator shows that; else it is ``link``. Scores come
    rounded to six digits.

    Attributes:
        link, thumbnail: addresses of the picture and of a small one; they need the key, where the server has keys.
        scores: stage -> score; ``score`` is that of the last.
        flagged: the server's content filter marks it.
    """

    link: str = ""
    thumbnail: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class RemoteRecord(Record):
    """A ``Record`` of a server; ``root`` and ``stamp`` are not known, and ``indexed_ns`` is in whole seconds.

    Attributes:
        link, thumbnail: addresses of the picture and of a small one.
    """

    link: str = ""
    thumbnail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class RemoteResults(Results):
    """The ``Results`` of a server, or a page of them.

    Attributes:
        search_id, query_id: what ``feedback`` and the click log call the search and its query.
        next: the cursor of the next page; None: there is none.
    """

    hits: tuple[RemoteHit, ...]
    search_id: str = ""
    query_id: str = ""
    next: str | None = None

    def __iter__(self) -> Iterator[RemoteHit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, place: int) -> RemoteHit: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[RemoteHit]: ...
    def __getitem__(self, place: int | slice) -> RemoteHit | Sequence[RemoteHit]:
        return self.hits[place]

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``lookalike search --json`` prints, with the addresses of the pictures."""
        # Not super(): the class that @dataclass(slots=True) makes is another than the one that super() would mean.
        answer = Results.to_json(self)
        answer["hits"] = [{**hit_to_json(hit), "link": hit.link, "thumbnail": hit.thumbnail} for hit in self.hits]
        return {**answer, "search_id": self.search_id, "query_id": self.query_id}


def results_of(pages: Sequence[wire.SearchAnswer], query: Query, server: str) -> RemoteResults:
    """Return the hits of one page or several, one behind the other."""
    first = pages[0]
    return RemoteResults(
        query=query,
        hits=tuple(hit_of(hit, server) for page in pages for hit in page.hits),
        took_ms={stage: sum(page.took_ms.get(stage, 0.0) for page in pages) for stage in first.took_ms},
        note=first.note or "",
        search_id=first.search_id,
        query_id=first.query_id,
        next=pages[-1].next,
    )


def hit_of(hit: wire.Hit, server: str) -> RemoteHit:
    """Return a hit, its addresses made whole."""
    link, thumbnail = _whole(hit.link, server), _whole(hit.thumbnail, server)
    group, box = hit.group, hit.region
    return RemoteHit(
        rank=hit.rank,
        id=hit.id,
        row=hit.row,
        source=hit.source or link,
        score=hit.score,
        metadata=hit.metadata,
        relevance=hit.relevance,
        found_by=hit.found_by,
        group=Group(group.by, group.value, group.size) if group else None,
        width=hit.width,
        height=hit.height,
        region=Region(box.x0, box.y0, box.x1, box.y1, box.score, box.label) if box else None,
        link=link,
        thumbnail=thumbnail,
        scores=hit.scores,
        flagged=bool(hit.flagged),
    )


def record_of(record: wire.Record, server: str) -> RemoteRecord:
    """Return a record, its addresses made whole."""
    link = _whole(record.link, server)
    indexed = datetime.strptime(record.indexed, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return RemoteRecord(
        row=record.row,
        id=record.id,
        source=record.source or link,
        content_hash=record.content_hash,
        width=record.width,
        height=record.height,
        metadata=record.metadata,
        indexed_ns=int(indexed.timestamp()) * 1_000_000_000,
        link=link,
        thumbnail=_whole(record.thumbnail, server),
    )


def _whole(link: str | None, server: str) -> str:
    return urljoin(f"{server}/", link) if link else ""
