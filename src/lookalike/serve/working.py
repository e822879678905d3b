"""The threads that searches run in, with a bounded queue in front and a time limit on each request."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..errors import Overloaded, TimedOut

__all__ = ["Workers", "check_deadline", "remaining_s"]

T = TypeVar("T")

_DEADLINE: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline", default=None)


def remaining_s() -> float | None:
    """Return the seconds that the request which this thread works for has left; None: no limit. May be negative."""
    deadline = _DEADLINE.get()
    return None if deadline is None else deadline - time.monotonic()


def check_deadline() -> None:
    """Stop the work of a request whose time is over.

    Raises:
        TimedOut: it is.
    """
    left = remaining_s()
    if left is not None and left <= 0:
        raise _too_late()


def _too_late() -> TimedOut:
    return TimedOut("the time limit of the request has passed.", hint="Try again, or ask for less.", retry_after_s=1)


class Workers:
    """Runs blocking work in threads.

    Args:
        threads: how many run at once.
        waiting: how many more may wait; the next is refused at once.
        time_limit_s: of one piece of work, from the moment it is asked for.
    """

    def __init__(self, *, threads: int, waiting: int, time_limit_s: float) -> None:
        self.threads = threads
        self.waiting = waiting
        self.time_limit_s = time_limit_s
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lookalike-serve")
        self._inside = 0
        self._guard = threading.Lock()

    @property
    def inside(self) -> int:
        """Return how many pieces of work run or wait."""
        return self._inside

    async def run(self, work: Callable[[], T], *, time_limit_s: float | None = None) -> T:
        """Return what the work returns.

        Raises:
            Overloaded: too much is waiting. TimedOut: it took too long; what it does is not undone.
        """
        limit = self.time_limit_s if time_limit_s is None else time_limit_s
        with self._guard:
            if self._inside >= self.threads + self.waiting:
                raise Overloaded(
                    f"the server has {self._inside} requests to do and queues no more.",
                    hint="Come back in a moment.",
                    retry_after_s=1,
                )
            self._inside += 1
        deadline = time.monotonic() + limit
        context = contextvars.copy_context()
        context.run(_DEADLINE.set, deadline)
        try:
            # A request that was given up while it waited never starts.
            future = self._pool.submit(context.run, _in_time, work)
        except RuntimeError:
            self._left(None)
            raise Overloaded("the server is stopping.", retry_after_s=5) from None
        future.add_done_callback(self._left)
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + limit):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            if isinstance(error, TimedOut):
                raise
            raise _too_late() from None

    def close(self) -> None:
        """Finish what runs; what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _left(self, future: object) -> None:
        with self._guard:
            self._inside -= 1


def _in_time(work: Callable[[], T]) -> T:
    check_deadline()
    return work()
