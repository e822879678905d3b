"""Starts the processes of a run on several devices, and ends them together."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from ..errors import LookalikeError, ModelError

__all__ = ["Place", "launched", "place_of_environment"]

_LAST_WORDS = 5.0  # seconds in which the others may still say what went wrong


class Place:
    """Where a process stands in a run of several.

    Args:
        rank, size: which one it is, and of how many.
        local: which one on this machine: its GPU.
        meeting: a file that all see; None: as the environment says.
    """

    def __init__(self, rank: int, size: int, local: int, meeting: str | None) -> None:
        self.rank, self.size, self.local, self.meeting = rank, size, local, meeting


def place_of_environment() -> Place | None:
    """Return what torchrun says of this process; None where nothing does."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size < 2 or "RANK" not in os.environ:
        return None
    rank = int(os.environ["RANK"])
    return Place(rank, size, int(os.environ.get("LOCAL_RANK", rank)), None)


def launched(
    count: int, function: Callable[..., Any], arguments: dict[str, Any], on_progress: Callable[[Any], None]
) -> Any:
    """Return what the first of ``count`` processes returns of ``function(**arguments, place=, on_progress=)``.

    All end when one fails, when this one is interrupted, and when it dies.

    Raises:
        What the function raises.
    """
    context = multiprocessing.get_context("spawn")  # a fork would share what CUDA has begun
    said: Any = context.Queue()
    with tempfile.TemporaryDirectory(prefix="lookalike-train-") as folder:
        processes = [
            context.Process(
                target=_child,
                args=(Place(rank, count, rank, str(Path(folder) / "meeting")), function, arguments, said),
                daemon=True,
            )
            for rank in range(count)
        ]
        try:
            for process in processes:
                process.start()
            return _followed(processes, said, on_progress)
        finally:
            for process in processes:
                if process.pid is not None:
                    process.terminate()
            for process in processes:
                if process.pid is not None:
                    process.join(_LAST_WORDS)
                    process.kill()
                    process.join()


def _followed(processes: list[SpawnProcess], said: Any, on_progress: Callable[[Any], None]) -> Any:
    failures: list[tuple[int, BaseException]] = []
    ended = 0.0
    while True:
        try:
            kind, rank, value = said.get(timeout=0.2)
        except queue.Empty:
            dead = [process for process in processes if process.exitcode not in (None, 0)]
            if (dead or failures) and not ended:
                ended = time.monotonic()
            if ended and time.monotonic() - ended > (_LAST_WORDS if failures else 1.0):
                break
            continue
        if kind == "progress":
            on_progress(value)
        elif kind == "done":
            return value
        else:
            failures.append((rank, value))
            if rank == 0 and isinstance(value, LookalikeError):
                break
    # What was said in our words explains what the others met because of it.
    failures.sort(key=lambda failure: (not isinstance(failure[1], LookalikeError), failure[0]))
    if failures:
        raise failures[0][1]
    codes = ", ".join(str(process.exitcode) for process in processes if process.exitcode not in (None, 0))
    raise ModelError(
        f"a process of the training was ended from outside (exit code {codes}).",
        hint="Was memory not enough? Lower --batch or --cache-mb. The same command goes on.",
    )


def _child(place: Place, function: Callable[..., Any], arguments: dict[str, Any], said: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first of all ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def show(progress: Any) -> None:
        if place.rank == 0:
            said.put(("progress", 0, progress))

    try:
        made = function(**arguments, place=place, on_progress=show)
    except Exception as failed:
        said.put(("failed", place.rank, _portable(failed)))
    else:
        if place.rank == 0:
            said.put(("done", 0, made))
    said.close()
    said.join_thread()


def _portable(failed: Exception) -> Exception:
    """Return the exception, or one like it that another process can read."""
    if isinstance(failed, LookalikeError):
        try:
            pickle.loads(pickle.dumps(failed))
        except Exception:
            return ModelError(failed.message, hint=failed.hint)
        return failed
    return RuntimeError("".join(traceback.format_exception(failed)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
