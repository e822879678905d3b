"""The client of a server, for programs that wait for their answers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

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

__all__ = ["Client"]

T = TypeVar("T")


class Client:
    """A collection on a server, with the methods of ``Collection``. Closed by ``close`` or ``with``.

    Requests that a busy server turned away are sent again, after the pause that it asks for; and so are those whose
    answer was lost, where sending them twice does no harm. One client may be used by several threads. Every method
    raises the error that the library itself would, or a ``ServiceError``: ``Unreachable``, ``NotAllowed``, ...

    Args:
        url: of a collection, ``http://host:port/name``; or of a server, where it has only one or ``collection`` names
            it. Behind a proxy that puts a path in front, end the server's with a slash: ``https://host/images/``.
        collection: its name, where the URL does not have it.
        key: of ``lookalike keys``; None: ``LOOKALIKE_KEY`` of the environment. Empty: none.
        timeout_s: seconds without a byte after which an answer is given up.
        retries: how many times a request is sent again.
        longest_wait_s: a server that asks for a longer pause is not waited for.
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
        self._made: list[httpx.Client] = []  # shared by the clients of one server's collections

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {self.url!r}>"

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return True  # asking the server how many images it has is nothing that `if client` should do

    def __contains__(self, id: str) -> bool:
        return self.get(id) is not None

    def __iter__(self) -> Iterator[RemoteRecord]:
        after: int | None = -1
        while after is not None:
            records, after = self._run(self._do.records_after(after))
            yield from records

    def close(self) -> None:
        """Close the connections; the next request would open new ones."""
        while self._made:
            self._made.pop().close()

    @property
    def url(self) -> str:
        """Return the address of the collection, or of the server where the name is not known yet."""
        return Address(self._do.server, self._do.name).shown

    def open(self, collection: str) -> Client:
        """Return another collection of the server; it shares the connections of this one."""
        other = Client.__new__(Client)
        other._route, other._made = self._route, self._made
        other._do = Operations(Address(self._do.server, collection))
        return other

    # -- adding -------------------------------------------------------------------------------------------------------

    def add(
        self,
        source: Source | Sequence[Source],
        *,
        prefix: str = "",
        exclude: Sequence[str] = (),
        include_hidden: bool = False,
        limits: FetchLimits | None = None,
        on_progress: OnProgress | None = None,
    ) -> AddReport:
        """Upload a folder of this machine, a file, a glob, an archive, a list or a URL, or several of them.

        What the server has already, by id and content, is not sent. A picture that cannot be used is skipped and named
        in the report; it never stops the rest. What was sent when something ends it stays, and the next run goes on.

        Args:
            source: see ``lookalike.images.scan``; ``~`` is expanded. Files are read here, not on the server.
            prefix: stands before the id of each image, which is its path relative to the source. An id that exists is
                replaced, whatever folder it came from: give folders with files of the same name prefixes of their own.
            exclude: file-name patterns to leave out.
            include_hidden: also take files and folders whose name begins with a dot.
            limits: the largest file and the longest download.
            on_progress: called with the report so far.

        Returns:
            What was added, replaced, unchanged and skipped.

        Raises:
            NoSuchFile: the source does not exist. NotAllowed: the key may not write.
        """
        scans = images_in(source, exclude, include_hidden=include_hidden, limits=limits)
        return self._run(add_entries(self._do, scans, prefix, on_progress))

    def add_images(
        self, images: Sequence[AnyImage], *, ids: Sequence[str], metadata: Sequence[Metadata] | None = None
    ) -> AddReport:
        """Upload pictures in memory under the ids given; an id that exists is replaced.

        Args:
            images: encoded bytes, Pillow images or arrays (H, W, 3) uint8; the latter travel as PNG.
            ids: one for each image. metadata: JSON values, one mapping for each image.

        Raises:
            BadInput: the lengths differ, or an id is empty.
        """
        return self._run(add_entries(self._do, [pictures_of(images, ids, metadata)], "", None))

    def remove(self, ids: str | Sequence[str]) -> int:
        """Remove records by id and return how many there were; a file that the server indexed stays where it is."""
        return self._run(self._do.remove([ids] if isinstance(ids, str) else list(ids)))

    # -- reading ------------------------------------------------------------------------------------------------------

    def get(self, id: str) -> RemoteRecord | None:
        """Return the record with this id, or None."""
        return self._run(self._do.get(id))

    def get_many(self, ids: Sequence[str]) -> list[RemoteRecord]:
        """Return the records with these ids, in their order; ids that are not there are passed over."""
        return self._run(self._do.get_many(ids))

    def count(self) -> int:
        """Return how many images there are."""
        return self._run(self._do.info()).images

    def search(self, what: Searchable, k: int = 20, **options: Unpack[SearchOptions]) -> RemoteResults:
        """Return the k images most alike, as ``Collection.search`` does.

        Args:
            what: a path of this machine, a URL (which the server fetches), ``id:...``, encoded bytes, an array
                (H, W, 3) uint8, a Pillow image, a vector, a ``Query``, or several of these in a list (their mean).
            k: how many hits, > 0.
            options: those of ``Collection.search``, and ``box``, ``positive`` and ``negative``: see ``SearchOptions``.

        Raises:
            BadInput: k is not positive, or the query or an option cannot be understood. ImageError: the query image is
                unusable.
        """
        return self._run(self._do.search(what, k, options))

    def pages(self, what: Searchable, k: int = 100, **options: Unpack[SearchOptions]) -> Iterator[RemoteResults]:
        """Yield the ranking in pages of k hits, as long as the server goes (10,000 hits, unless it says otherwise).

        Images that come and go meanwhile move no hit from one page to another. What ``search`` takes is taken.
        """
        asked = ask(what, options)
        cursor: str | None = None
        while True:
            page = self._run(self._do.page(asked, k, cursor))
            yield page
            cursor = page.next
            if cursor is None:
                return

    def explain(
        self, what: Searchable, id: str, *, cells: int = 8, **options: Unpack[SearchOptions]
    ) -> wire.Explanation:
        """Return how much the score of the image ``id`` with the query falls when each of its parts is covered.

        Args:
            what: as in ``search``; of the options it takes ``box``, ``positive`` and ``negative``.
            id: the result.
            cells: of a side of the grid, 2 to 16.
        """
        return self._run(self._do.explain(what, id, cells, options))

    def feedback(
        self, results: RemoteResults, clicked: str | Sequence[str] = (), *, judged: Mapping[str, int] | None = None
    ) -> int:
        """Write to the click log what was shown and chosen; later reports of one search add to the earlier ones.

        Args:
            results: of a search, or a page of it, all of which was shown in this order.
            clicked: ids. judged: id -> 1 (good), 0 or -1 (bad).

        Returns:
            How many rows the log has of it.
        """
        ids = [clicked] if isinstance(clicked, str) else list(clicked)
        return self._run(self._do.feedback(results, ids, judged or {}))

    def picture(self, of: Hit | Record, *, side: int | None = None) -> bytes:
        """Return the encoded picture of a hit or a record; with ``side``, a JPEG of about so many pixels."""
        return self._run(self._do.picture(of, side))

    def info(self) -> Mapping[str, Any]:
        """Return what the server says of the collection: the number of images, its spaces, columns and facets."""
        return {"url": self.url, **self._run(self._do.info()).model_dump()}

    # -- the server ---------------------------------------------------------------------------------------------------

    def collections(self) -> list[wire.CollectionInfo]:
        """Return what every collection on the server holds."""
        return self._run(self._do.collections())

    def ready(self) -> bool:
        """Return whether every collection on the server can be searched."""
        return self._run(self._do.ready())

    def reload(self) -> wire.CollectionInfo:
        """Let the server open the collection again, as it is on its disk now; needs the role admin."""
        return self._run(self._do.reload())

    def start_job(self, source: str, *, prune: bool = False) -> wire.Job:
        """Let the server index, in the background, a folder of its own; needs the role admin.

        Args:
            source: a folder, archive or list on the server, below one of its ``import_roots``.
            prune: also remove the records of files that are gone.
        """
        return self._run(self._do.start_job(source, prune))

    def jobs(self) -> list[wire.Job]:
        """Return the jobs of all collections, newest first."""
        return self._run(self._do.jobs())

    def job(self, id: str) -> wire.Job:
        """Return how far a job is."""
        return self._run(self._do.job(id))

    def cancel_job(self, id: str) -> wire.Job:
        """Stop a job after the images in hand; what it has stored stays."""
        return self._run(self._do.cancel_job(id))

    # -- sending ------------------------------------------------------------------------------------------------------

    def _run(self, work: Work[T]) -> T:
        """Do a piece of work: send what it asks, and give it the answers."""
        try:
            call = next(work)
            while True:
                try:
                    reply = self._send(call)
                except BaseException as error:  # Ctrl-C too: the work may have something to report
                    call = work.throw(error)
                else:
                    call = work.send(reply)
        except StopIteration as done:
            result: T = done.value
            return result

    def _send(self, call: Call) -> Reply:
        import httpx

        http, request = self._http(), self._route.request(call)
        for attempt in itertools.count():
            try:
                reply = http.request(**request)
            except httpx.TransportError as error:
                failure = self._route.broken(error, call)
            else:
                refused = self._route.judged(reply, call)
                if refused is None:
                    return reply
                failure = refused
            time.sleep(self._route.retries.pause_s(call, attempt, failure))
        raise AssertionError("unreachable")

    def _http(self) -> httpx.Client:
        if not self._made:
            import httpx

            self._made.append(httpx.Client(**self._route.settings()))
        return self._made[0]
