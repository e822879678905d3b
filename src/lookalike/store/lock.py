"""One writer at a time, across processes and threads. Readers never take part."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CollectionBusy, StorageFailed

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["WriterLock"]


class WriterLock:
    """The lock of one collection folder: ``writer.lock``, with the holder's process number in ``writer.pid``.

    The operating system frees the lock when the process ends, however it ends; the files stay. Threads of one process
    that share the object wait for each other; another process, or another object, is told at once that it is busy.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid_file = folder / "writer.pid"
        self._threads = threading.RLock()
        self._depth = 0
        self._lock: BaseFileLock | None = None

    @contextlib.contextmanager
    def held(self, *, wait_s: float = 0.0) -> Iterator[None]:
        """Hold the lock; may be nested.

        Args:
            wait_s: seconds to wait for another process, and for a thread of this one; 0: for a thread without limit.

        Raises:
            CollectionBusy: another process, or thread, holds it, still so after ``wait_s`` seconds.
            StorageFailed: the folder cannot be written.
        """
        if not self._threads.acquire(timeout=wait_s or -1):
            raise CollectionBusy(
                f"the collection {self._folder} has been written to for more than {wait_s:g} s.",
                hint="Try again in a moment; searching goes on meanwhile.",
            )
        try:
            if self._depth == 0:
                self._acquire(wait_s)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._release()
        finally:
            self._threads.release()

    def _acquire(self, wait_s: float) -> None:
        from filelock import FileLock, Timeout

        if self._lock is None:
            self._lock = FileLock(self._folder / "writer.lock", thread_local=False)
        try:
            self._lock.acquire(timeout=wait_s, poll_interval=0.02)
        except Timeout as error:
            raise CollectionBusy(
                f"another process{self._holder()} is writing to the collection {self._folder}.",
                hint="Wait until it is done, or stop it; searching goes on meanwhile.",
            ) from error
        except (OSError, NotImplementedError) as error:
            raise StorageFailed(
                f"the collection {self._folder} cannot be written: {getattr(error, 'strerror', None) or error}.",
                hint="Check the folder's permissions and that its disk is not mounted read-only.",
            ) from error
        # Beside the lock, not in it: whoever asks for the lock truncates its file. A courtesy only, so it may fail.
        with contextlib.suppress(OSError):
            self._pid_file.write_text(str(os.getpid()), encoding="ascii")

    def _release(self) -> None:
        with contextlib.suppress(OSError):
            self._pid_file.unlink()
        if self._lock is not None:
            self._lock.release()

    def _holder(self) -> str:
        try:
            return f" (process {int(self._pid_file.read_text(encoding='ascii'))})"
        except (OSError, ValueError):
            return ""
