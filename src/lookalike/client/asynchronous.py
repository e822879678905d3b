"""The client of a server, for programs that do something else meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from ..collection.in_memory import AnyImage
from ..collection.queries import Searchable
from ..collection.reports import AddReport, OnProgress
from ..images import FetchLimits
from ..types import Hit, Metadata, Record
from .address import Address
from .asking import SearchOptions, ask
from .calls import Call, Reply, Work
from .connecting import Route
from .operations import Operations
from .results import RemoteRecord, RemoteResults
from .sources import Source, images_in, pictures_of
from .uploading import add_entries

if TYPE_CHECKING:
    import httpx

    from ..serve import wire

__all__ = ["AsyncClient"]

T = TypeVar("T")


class AsyncClient:
    """``Client``, awaited: the same methods with the same arguments; ``count()`` stands for ``len``.

    For asyncio. Files are read and pictures encoded in threads. Closed by ``await close()`` or ``async with``; to be
    used within one event loop.

    Args:
        url, collection, key, timeout_s, retries, longest_wait_s: as of ``Client``.
    """

    def __init__(
        self,
        url: str,
        collection: str = "",
        *,
        key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 4,
        longest_wait_s: float = 30.0,
    ) -> None:
        self._route = Route.of(Address.parse(url, collection), key, timeout_s, retries, longest_wait_s)
        self._do = Operations(self._route.address)
        self._made: list[httpx.AsyncClient] = []  # shared by the clients of one server's collections

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncClient {self.url!r}>"

    async def __aiter__(self) -> AsyncIterator[RemoteRecord]:
        after: int | None = -1
        while after is not None:
            records, after = await self._run(self._do.records_after(after))
            for record in records:
                yield record

    async def close(self) -> None:
        """Close the connections; the next request would open new ones."""
        while self._made:
            await self._made.pop().aclose()

    @property
    def url(self) -> str:
        """Return the address of the collection, or of the server where the name is not known yet."""
        return Address(self._do.server, self._do.name).shown

    def open(self, collection: str) -> AsyncClient:
        """Return another collection of the server; it shares the connections of this one."""
        other = AsyncClient.__new__(AsyncClient)
        other._route, other._made = self._route, self._made
        other._do = Operations(Address(self._do.server, collection))
        return other

    # -- adding -------------------------------------------------------------------------------------------------------

    async def add(
        self,
        source: Source | Sequence[Source],
        *,
        prefix: str = "",
        exclude: Sequence[str] = (),
        include_hidden: bool = False,
        limits: FetchLimits | None = None,
        on_progress: OnProgress | None = None,
    ) -> AddReport:
        """Upload a folder of this machine or another source, as ``Client.add``.

        ``on_progress`` is called in a thread that is not that of the event loop.
        """
        scans = images_in(source, exclude, include_hidden=include_hidden, limits=limits)
        return await self._run(add_entries(self._do, scans, prefix, on_progress))

    async def add_images(
        self, images: Sequence[AnyImage], *, ids: Sequence[str], metadata: Sequence[Metadata] | None = None
    ) -> AddReport:
        """Upload pictures in memory, as ``Client.add_images``."""
        return await self._run(add_entries(self._do, [pictures_of(images, ids, metadata)], "", None))

    async def remove(self, ids: str | Sequence[str]) -> int:
        """Remove records by id and return how many there were, as ``Client.remove``."""
        return await self._run(self._do.remove([ids] if isinstance(ids, str) else list(ids)))

    # -- reading ------------------------------------------------------------------------------------------------------

    async def get(self, id: str) -> RemoteRecord | None:
        """Return the record with this id, or None."""
        return await self._run(self._do.get(id))

    async def get_many(self, ids: Sequence[str]) -> list[RemoteRecord]:
        """Return the records with these ids, in their order; ids that are not there are passed over."""
        return await self._run(self._do.get_many(ids))

    async def count(self) -> int:
        """Return how many images there are."""
        return (await self._run(self._do.info())).images

    async def search(self, what: Searchable, k: int = 20, **options: Unpack[SearchOptions]) -> RemoteResults:
        """Return the k images most alike, as ``Client.search``."""
        return await self._run(self._do.search(what, k, options))

    async def pages(
        self, what: Searchable, k: int = 100, **options: Unpack[SearchOptions]
    ) -> AsyncIterator[RemoteResults]:
        """Yield the ranking in pages of k hits, as ``Client.pages``."""
        asked = await asyncio.to_thread(ask, what, options)
        cursor: str | None = None
        while True:
            page = await self._run(self._do.page(asked, k, cursor))
            yield page
            cursor = page.next
            if cursor is None:
                return

    async def explain(
        self, what: Searchable, id: str, *, cells: int = 8, **options: Unpack[SearchOptions]
    ) -> wire.Explanation:
        """Return which parts of a result made its score, as ``Client.explain``."""
        return await self._run(self._do.explain(what, id, cells, options))

    async def feedback(
        self, results: RemoteResults, clicked: str | Sequence[str] = (), *, judged: Mapping[str, int] | None = None
    ) -> int:
        """Write to the click log, as ``Client.feedback``."""
        ids = [clicked] if isinstance(clicked, str) else list(clicked)
        return await self._run(self._do.feedback(results, ids, judged or {}))

    async def picture(self, of: Hit | Record, *, side: int | None = None) -> bytes:
        """Return the encoded picture of a hit or a record; with ``side``, a JPEG of about so many pixels."""
        return await self._run(self._do.picture(of, side))

    async def info(self) -> Mapping[str, Any]:
        """Return what the server says of the collection, as ``Client.info``."""
        about = await self._run(self._do.info())
        return {"url": self.url, **about.model_dump()}

    # -- the server ---------------------------------------------------------------------------------------------------

    async def collections(self) -> list[wire.CollectionInfo]:
        """Return what every collection on the server holds."""
        return await self._run(self._do.collections())

    async def ready(self) -> bool:
        """Return whether every collection on the server can be searched."""
        return await self._run(self._do.ready())

    async def reload(self) -> wire.CollectionInfo:
        """Let the server open the collection again, as it is on its disk now; needs the role admin."""
        return await self._run(self._do.reload())

    async def start_job(self, source: str, *, prune: bool = False) -> wire.Job:
        """Let the server index a folder of its own, as ``Client.start_job``."""
        return await self._run(self._do.start_job(source, prune))

    async def jobs(self) -> list[wire.Job]:
        """Return the jobs of all collections, newest first."""
        return await self._run(self._do.jobs())

    async def job(self, id: str) -> wire.Job:
        """Return how far a job is."""
        return await self._run(self._do.job(id))

    async def cancel_job(self, id: str) -> wire.Job:
        """Stop a job after the images in hand; what it has stored stays."""
        return await self._run(self._do.cancel_job(id))

    # -- sending ------------------------------------------------------------------------------------------------------

    async def _run(self, work: Work[T]) -> T:
        """Do a piece of work: send what it asks, and give it the answers."""
        step = _Step(work)
        # In threads, for between two requests the work reads files and encodes pictures.
        call = await asyncio.to_thread(step.begin)
        while call is not None:
            try:
                reply = await self._send(call)
            except Exception as error:
                call = await asyncio.to_thread(step.fail, error)
            else:
                call = await asyncio.to_thread(step.go_on, reply)
        return step.result[0]

    async def _send(self, call: Call) -> Reply:
        import httpx

        http, request = self._http(), self._route.request(call)
        for attempt in itertools.count():
            try:
                reply = await http.request(**request)
            except httpx.TransportError as error:
                failure = self._route.broken(error, call)
            else:
                refused = self._route.judged(reply, call)
                if refused is None:
                    return reply
                failure = refused
            await asyncio.sleep(self._route.retries.pause_s(call, attempt, failure))
        raise AssertionError("unreachable")

    def _http(self) -> httpx.AsyncClient:
        if not self._made:
            import httpx

            self._made.append(httpx.AsyncClient(**self._route.settings()))
        return self._made[0]


class _Step(Generic[T]):
    """Work that goes on a step at a time; its end is a value, for no thread may raise StopIteration."""

    def __init__(self, work: Work[T]) -> None:
        self._work = work
        self.result: list[T] = []

    def begin(self) -> Call | None:
        return self._until_next(lambda: next(self._work))

    def go_on(self, reply: Reply) -> Call | None:
        return self._until_next(lambda: self._work.send(reply))

    def fail(self, error: Exception) -> Call | None:
        return self._until_next(lambda: self._work.throw(error))

    def _until_next(self, step: Callable[[], Call]) -> Call | None:
        try:
            return step()
        except StopIteration as done:
            self.result.append(done.value)
            return None
