"""Everything that the routes share, in one place: made once for each process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from fastapi import Request

from .access import Buckets
from .audit import Audit
from .caretaking import Caretaker
from .collections import OpenCollections, Served
from .fetching import Fetcher, Resolve, system_resolver
from .indexing import kinds
from .jobs import Jobs
from .keys import Keys
from .memory import share_memory
from .metrics import Metrics
from .settings import Settings
from .thumbnails import Thumbnails
from .working import Workers

__all__ = ["Service", "service_of"]

T = TypeVar("T")


class Service:
    """The parts of a running server.

    Args:
        settings: of the operator.
        resolve: how host names of URLs become addresses.

    Raises:
        BadInput, NoSuchFile: the keys cannot be read.
    """

    def __init__(self, settings: Settings, *, resolve: Resolve = system_resolver) -> None:
        share_memory()
        self.settings = settings
        self.keys = Keys(Path(settings.api_keys).expanduser() if settings.api_keys else None)
        self.collections = OpenCollections(settings)
        self.workers = Workers(threads=settings.pool, waiting=settings.waiting, time_limit_s=settings.time_limit_s)
        self.fetch = Fetcher(settings, resolve=resolve)
        self.thumbnails = Thumbnails(settings, self.fetch)
        self.metrics = Metrics()
        self.audit = Audit(settings)
        self.search_rate = Buckets(settings.search_rate)
        self.write_rate = Buckets(settings.write_rate)
        self.sign_ins = Buckets(1.0)  # of one address: a key cannot be guessed, but the log need not fill with tries
        self.caretaker = Caretaker(self.collections, every_s=settings.reload_check_s or 2.0)
        self.jobs = Jobs(self.collections, kinds(settings))
        self.ready = False

    def start(self) -> None:
        """Open the collections, once; slow, so it may run in a thread.

        Raises:
            LookalikeError: one of them cannot be opened.
        """
        if not self.ready:
            self.collections.open_all()
            self.caretaker.start()
            self.jobs.start()
            self.ready = True

    def close(self) -> None:
        """Finish what runs, and close everything."""
        self.ready = False
        self.workers.close()
        self.jobs.close()
        self.caretaker.close()
        self.collections.close()

    def on(self, name: str, work: Callable[[Served], T], *, time_limit_s: float | None = None) -> Awaitable[T]:
        """Run work on a collection in a thread; the collection stays open meanwhile.

        Raises:
            NotFound: there is no such collection. Overloaded, TimedOut: see ``Workers.run``.
        """
        self.collections.check(name)

        def lent() -> T:
            with self.collections.use(name) as served:
                return work(served)

        return self.workers.run(lent, time_limit_s=time_limit_s)


def service_of(request: Request) -> Service:
    """Return the service that an application was made with."""
    service: Service = request.app.state.service
    return service
