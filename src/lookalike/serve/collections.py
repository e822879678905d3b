"""The collections that the server has open, by name; each can be swapped for a new one while requests run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..collection import Collection, open
from ..errors import LookalikeError, NotFound, OtherEmbedder
from ..nearest_name import did_you_mean
from ..protocols import Embedder
from ..store.sqlite import FILE
from .batching import GatheredSearch, batched
from .classifiers import Classifiers
from .ledger import Ledger
from .settings import Settings
from .writing import Writer

__all__ = ["OpenCollections", "Served"]

log = logging.getLogger("lookalike.serve")


class Served:
    """One open collection, and what the server keeps beside it.

    Attributes:
        name: as in the URL.
        collection: what searches; its embedder collects images into batches.
        embedder: the model itself; None where the vectors came without one.
        writer: what changes it.
        ledger: its jobs and click log.
        classifiers: what the content filter asks.
    """

    def __init__(self, name: str, folder: Path, settings: Settings) -> None:
        self.name = name
        self.folder = folder
        opened = open(folder, create_missing=False, device=settings.device)
        try:
            self.embedder = _loaded(opened)
            front = None
            if self.embedder is not None:
                front = batched(
                    self.embedder,
                    size=settings.batch_size,
                    wait_s=settings.batch_wait_s,
                    waiting=settings.waiting + settings.pool,
                )
            self.collection = Collection(
                opened.store,
                opened.space.name,
                embedder=front,
                device=settings.device,
                max_megapixels=settings.max_megapixels,
            )
            waiting = settings.waiting + settings.pool
            self.collection.ask_index_by(
                GatheredSearch(size=settings.batch_size, wait_s=settings.batch_wait_s, waiting=waiting)
            )
            self.identity = identity_of(folder)
            self.ledger = Ledger(folder)
            self.classifiers = Classifiers(self.collection, folder, self.ledger, settings)
            self.writer = Writer(self.collection, folder, settings)
            self._warm()
        except BaseException:
            opened.close()
            raise
        self.users = 0
        self.retired = False

    def __repr__(self) -> str:
        return f"Served({self.name!r}, {str(self.folder)!r})"

    def _warm(self) -> None:
        """Do the slow first times now: load the model, map the vectors."""
        if self.embedder is not None:
            side = max(32, self.embedder.input_size)
            self.embedder.embed([np.full((side, side, 3), 128, np.uint8)])
        self.collection.warm()


def _loaded(collection: Collection) -> Embedder | None:
    """Return the embedder; None where vectors were imported without it, which is no failure."""
    try:
        return collection.embedder
    except OtherEmbedder:
        if collection.store.setting(f"embedder:{collection.space.name}"):
            raise
        return None


def identity_of(folder: Path) -> tuple[int, int]:
    """Return what tells that a collection's database was replaced by another file."""
    status = (folder / FILE).stat()
    return status.st_dev, status.st_ino


class OpenCollections:
    """Name -> open collection. Requests borrow one; a swap closes the old one when the last of them is done."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._guard = threading.Lock()
        self._swapping = threading.Lock()
        self._served: dict[str, Served] = {}

    def open_all(self) -> None:
        """Open every collection of the settings; the first that cannot be opened is an error."""
        for name, folder in self.settings.collections.items():
            self._served[name] = Served(name, Path(folder).expanduser(), self.settings)

    @property
    def names(self) -> list[str]:
        """Return the names, in the order of the settings."""
        return list(self._served)

    @contextmanager
    def use(self, name: str) -> Iterator[Served]:
        """Lend a collection; it stays open until it is given back, whatever is swapped meanwhile.

        Raises:
            NotFound: the server has none of this name.
        """
        with self._guard:
            served = self._served.get(name)
            if served is None:
                raise self._unknown(name)
            served.users += 1
        try:
            yield served
        finally:
            with self._guard:
                served.users -= 1
                last = served.retired and not served.users
            if last:
                served.collection.close()

    def check(self, name: str) -> None:
        """Refuse a name that the server does not have."""
        if name not in self._served:
            raise self._unknown(name)

    def reload(self, name: str) -> None:
        """Open a collection again and swap it in; requests that run finish with the old one.

        Raises:
            NotFound: the server has none of this name. LookalikeError: it cannot be opened; the old one stays.
        """
        self.check(name)
        with self._swapping:
            self._swap(name, Served(name, Path(self.settings.collections[name]).expanduser(), self.settings))
        log.info("collection %s: reloaded", name)

    def refresh(self) -> Mapping[str, LookalikeError]:
        """Reload what was replaced on the disk or is searched in another space now; return what could not be."""
        failed: dict[str, LookalikeError] = {}
        for name in self.names:
            try:
                if self._outdated(name):
                    self.reload(name)
            except LookalikeError as error:
                failed[name] = error
            except FileNotFoundError:
                continue  # between two renames
        return failed

    def _outdated(self, name: str) -> bool:
        with self.use(name) as served:
            if identity_of(served.folder) != served.identity:
                return True
            return served.collection.store.setting("space") != served.collection.space.name

    def _swap(self, name: str, fresh: Served) -> None:
        with self._guard:
            old, self._served[name] = self._served[name], fresh
            old.retired = True
            idle = not old.users
        if idle:
            old.collection.close()

    def close(self) -> None:
        """Close all of them."""
        for served in self._served.values():
            served.collection.close()
        self._served.clear()

    def _unknown(self, name: str) -> NotFound:
        hint = did_you_mean(name, self._served) or f"Known: {', '.join(self._served) or 'none'}."
        return NotFound(f"there is no collection {name!r} on this server.", hint=hint)
