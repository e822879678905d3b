"""What a client can do with a collection, as work that yields requests; neither client holds any of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..collection.queries import Searchable
from ..errors import BadInput, NotAllowed
from ..types import Hit, Record
from .address import Address
from .asking import Asked, SearchOptions, ask
from .calls import Call, Work, path_of
from .replies import read
from .results import RemoteRecord, RemoteResults, record_of, results_of

if TYPE_CHECKING:
    from ..serve import wire

__all__ = ["MOST", "Operations"]

MOST = 1000  # hits, records or ids of one request; what a server takes unless its operator says otherwise


class Operations:
    """The work on one collection.

    Args:
        address: of the server and, where it is known, the collection.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.name = address.collection
        self.server = address.server

    def here(self, *parts: str) -> Work[str]:
        """Return the path of something in the collection, whose name is asked for where nobody gave it."""
        if not self.name:
            names = [each.name for each in (yield from self.collections())]
            if len(names) != 1:
                raise BadInput(
                    f"the server at {self.address.shown} has {len(names)} collections: {', '.join(names) or 'none'}.",
                    hint=f"Say which: {self.address.shown}/NAME.",
                )
            self.name = names[0]
        return path_of("collections", self.name, *parts)

    # -- searching ----------------------------------------------------------------------------------------------------

    def page(self, asked: Asked, k: int, cursor: str | None) -> Work[RemoteResults]:
        """Return one page."""
        return results_of([(yield from self._answer(asked, k, cursor))], asked.query, self.server)

    def search(self, what: Searchable, k: int, options: SearchOptions) -> Work[RemoteResults]:
        """Return the first k hits, in as many requests as that takes."""
        if k < 1:
            raise BadInput(f"k must be positive, got {k}.")
        asked = ask(what, options)
        pages = [(yield from self._answer(asked, min(k, MOST), None))]
        found = len(pages[0].hits)
        while found < k and pages[-1].next is not None:
            pages.append((yield from self._answer(asked, min(k - found, MOST), pages[-1].next)))
            found += len(pages[-1].hits)
        return results_of(pages, asked.query, self.server)

    def _answer(self, asked: Asked, k: int, cursor: str | None) -> Work[wire.SearchAnswer]:
        from ..serve import wire

        place = {"k": k} if cursor is None else {"k": k, "cursor": cursor}
        path = yield from self.here("search")
        reply = yield Call("POST", path, body={**asked.body, **place}, files=asked.files)
        return read(wire.SearchAnswer, reply, self.server)

    def explain(self, what: Searchable, id: str, cells: int, options: SearchOptions) -> Work[wire.Explanation]:
        """Return which parts of a result made its score."""
        from ..serve import wire

        asked = ask(what, options)
        path = yield from self.here("explain")
        reply = yield Call("POST", path, body={**asked.body, "id": id, "cells": cells}, files=asked.files)
        return read(wire.Explanation, reply, self.server)

    def feedback(self, results: RemoteResults, clicked: Sequence[str], judged: Mapping[str, int]) -> Work[int]:
        """Write to the click log."""
        from ..serve import wire

        yield from self.here()
        marks = [
            {"id": id, "clicked": id in clicked, "judged": judged.get(id, 0)}
            for id in dict.fromkeys([*clicked, *judged])
        ]
        body: dict[str, Any] = {
            "collection": self.name,
            "search_id": results.search_id,
            "query_id": results.query_id,
            "shown": [hit.id for hit in results],
            "first_position": results[0].rank if len(results) else 1,
            "clicks": marks,
        }
        reply = yield Call("POST", path_of("feedback"), body=body)
        return read(wire.FeedbackSaved, reply, self.server).rows

    # -- records ------------------------------------------------------------------------------------------------------

    def get_many(self, ids: Sequence[str]) -> Work[list[RemoteRecord]]:
        """Return the records that are there."""
        from ..serve import wire

        path = yield from self.here("records", "get")
        found: list[RemoteRecord] = []
        for begin in range(0, len(ids), MOST):
            reply = yield Call("POST", path, body={"ids": list(ids[begin : begin + MOST])})
            found += [record_of(each, self.server) for each in read(wire.Records, reply, self.server).records]
        return found

    def get(self, id: str) -> Work[RemoteRecord | None]:
        """Return the record with this id, or None."""
        found = yield from self.get_many([id])
        return found[0] if found else None

    def records_after(self, row: int) -> Work[tuple[list[RemoteRecord], int | None]]:
        """Return a page of records, and where the next one begins."""
        from ..serve import wire

        path = yield from self.here("records")
        reply = yield Call("GET", path, params={"after": row, "limit": MOST})
        page = read(wire.Records, reply, self.server)
        return [record_of(each, self.server) for each in page.records], page.next

    def remove(self, ids: Sequence[str]) -> Work[int]:
        """Remove records, and return how many there were."""
        from ..serve import wire

        path = yield from self.here("records", "delete")
        removed = 0
        for begin in range(0, len(ids), MOST):
            # Where the answer to the first attempt was lost, the second finds fewer of them: the rest is gone already.
            reply = yield Call("POST", path, body={"ids": list(ids[begin : begin + MOST])})
            removed += read(wire.Deleted, reply, self.server).deleted
        return removed

    def picture(self, of: Hit | Record, side: int | None) -> Work[bytes]:
        """Return the picture of a hit or a record, or its thumbnail."""
        thumbnail, link = getattr(of, "thumbnail", ""), getattr(of, "link", "")
        url = link if side is None else thumbnail
        if not url:
            raise BadInput(f"the server gives no picture of {of.id!r}.", hint="Its thumbnail: picture(hit, side=640).")
        origin = "/".join(self.server.split("/", 3)[:3])
        if not url.startswith(f"{origin}/"):  # the key goes nowhere else
            raise NotAllowed(f"the picture of {of.id!r} lies at {url}, which is not on {origin}.")
        reply = yield Call("GET", url, params={} if side is None else {"side": side})
        return reply.content

    # -- the server ---------------------------------------------------------------------------------------------------

    def info(self) -> Work[wire.CollectionInfo]:
        """Return what the server says of the collection."""
        from ..serve import wire

        path = yield from self.here()
        return read(wire.CollectionInfo, (yield Call("GET", path)), self.server)

    def collections(self) -> Work[list[wire.CollectionInfo]]:
        """Return what every collection on the server holds."""
        from ..serve import wire

        reply = yield Call("GET", path_of("collections"))
        return read(wire.Collections, reply, self.server).collections

    def ready(self) -> Work[bool]:
        """Return whether every collection can be searched."""
        reply = yield Call("GET", "/readyz", accept=(503,))
        return reply.status_code == 200

    def reload(self) -> Work[wire.CollectionInfo]:
        """Let the server open the collection again."""
        from ..serve import wire

        path = yield from self.here("reload")
        return read(wire.CollectionInfo, (yield Call("POST", path)), self.server)

    def start_job(self, source: str, prune: bool) -> Work[wire.Job]:
        """Let the server index a folder of its own."""
        from ..serve import wire

        yield from self.here()
        body = {"collection": self.name, "source": source, "prune": prune}
        # Sent twice, it would be two jobs.
        reply = yield Call("POST", path_of("jobs"), body=body, repeatable=False)
        return read(wire.Job, reply, self.server)

    def jobs(self) -> Work[list[wire.Job]]:
        """Return the jobs of all collections, newest first."""
        from ..serve import wire

        return read(wire.Jobs, (yield Call("GET", path_of("jobs"))), self.server).jobs

    def job(self, id: str) -> Work[wire.Job]:
        """Return how far a job is."""
        from ..serve import wire

        return read(wire.Job, (yield Call("GET", path_of("jobs", id))), self.server)

    def cancel_job(self, id: str) -> Work[wire.Job]:
        """Stop a job."""
        from ..serve import wire

        return read(wire.Job, (yield Call("DELETE", path_of("jobs", id))), self.server)
