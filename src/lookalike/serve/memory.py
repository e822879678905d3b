"""What keeps the memory of a long-running server flat: one allocator that many threads share."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["give_back_memory", "share_memory"]

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3  # M_ARENA_MAX and M_MMAP_THRESHOLD of glibc's <malloc.h>
_ARENAS = 2
_LARGE = 512 << 10  # bytes


def share_memory() -> None:
    """Let all threads take memory from two pools instead of eight a core; call it before threads start.

    What one thread frees is then there for the others: with a pool for nearly every thread, each grows to the largest
    request that its thread ever had, and a server's own memory was measured to double within minutes. And what is as
    large as a picture comes from the system and goes back to it: glibc learns not to do that, and the pools are torn
    into pieces by it. Nothing happens where the C library is not glibc; what the operator has set, by
    ``MALLOC_ARENA_MAX`` or ``MALLOC_MMAP_THRESHOLD_``, stays.
    """
    if (library := _glibc()) is None:
        return
    for option, value, variable in (
        (_ARENA_MAX, _ARENAS, "MALLOC_ARENA_MAX"),
        (_MMAP_THRESHOLD, _LARGE, "MALLOC_MMAP_THRESHOLD_"),
    ):
        if variable not in os.environ:
            library.mallopt(option, value)


def give_back_memory() -> None:
    """Give what was freed back to the system, as after a burst of large pictures; milliseconds."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
