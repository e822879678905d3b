"""What keeps the memory of a long-running server flat: one allocator that many threads share."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["give_back_memory", "share_memory"]

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's <malloc.h>
_ARENAS = 2


def share_memory() -> None:
    """Let all threads take memory from two pools instead of eight a core; call it before threads start.

    What one thread frees is then there for the others: with a pool for nearly every thread, each grows to the largest
    request that its thread ever had, and a server's own memory was measured to double within minutes. Nothing happens
    where the C library is not glibc, or where the operator has set ``MALLOC_ARENA_MAX``.
    """
    if "MALLOC_ARENA_MAX" not in os.environ and (library := _glibc()) is not None:
        library.mallopt(_ARENA_MAX, _ARENAS)


def give_back_memory() -> None:
    """Give what was freed back to the system, as after a burst of large pictures; milliseconds."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
