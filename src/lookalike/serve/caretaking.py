"""What a server does by itself: derived files brought up to date, replaced collections reloaded, memory given back."""

from __future__ import annotations

import logging
import threading
import time

from ..errors import LookalikeError
from .collections import OpenCollections
from .memory import give_back_memory

__all__ = ["Caretaker"]

log = logging.getLogger("lookalike.serve")

_GIVE_BACK_S = 60.0


class Caretaker:
    """A thread that looks after the open collections.

    Args:
        collections: all that are open.
        every_s: how long it rests between two looks.
    """

    def __init__(self, collections: OpenCollections, *, every_s: float) -> None:
        self._collections = collections
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lookalike-care", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop, when the look that is under way is done."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Look once."""
        for name in self._collections.names:
            try:
                with self._collections.use(name) as served:
                    served.writer.tidy()
            except LookalikeError as error:
                log.warning("collection %s: its derived files are not brought up to date yet: %s", name, error)
        for name, failed in self._collections.refresh().items():
            log.warning("collection %s: the one on disk cannot be opened, the old one stays: %s", name, failed)

    def _run(self) -> None:
        for name in self._collections.names:
            with self._collections.use(name) as served:
                swept = served.writer.uploads.sweep(served.collection.store)
            if swept:
                log.info("collection %s: %d files that a crash left behind were deleted", name, swept)
        given_back = time.monotonic()
        while not self._stop.wait(self._every_s):
            try:
                self.look()
            except Exception:
                log.exception("looking after the collections failed; going on")
            if time.monotonic() - given_back >= _GIVE_BACK_S:
                give_back_memory()
                given_back = time.monotonic()
