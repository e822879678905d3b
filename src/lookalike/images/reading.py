"""The bytes of one file, with limits."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import partial

from ..errors import BadInput, FetchFailed, ImageError, ImageTooLarge
from ..types import Metadata, Stamp
from .item import Item

__all__ = ["FetchLimits", "failure", "file_item", "read_file", "read_part", "too_large"]


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How much and how long to read before giving up.

    Attributes:
        max_bytes: of one picture, as stored; larger ones are an error that names this limit.
        timeout_s: seconds that a server may take to accept the connection, and to send something.
        total_s: seconds that one URL may take from beginning to end.
        max_redirects: how many times a URL may point to another one.
    """

    max_bytes: int = 200_000_000
    timeout_s: float = 10.0
    total_s: float = 60.0
    max_redirects: int = 5

    def __post_init__(self) -> None:
        if self.max_bytes <= 0 or self.timeout_s <= 0 or self.total_s <= 0 or self.max_redirects < 0:
            raise BadInput(f"limits of reading must be positive, got {self}.")


def failure(source: str, error: OSError) -> FetchFailed:
    """Say which file could not be read, and why."""
    hints = {PermissionError: "Check who may read it.", FileNotFoundError: "It may have been moved or deleted."}
    return FetchFailed(f"cannot read {source!r}: {error.strerror or error}.", hint=hints.get(type(error), ""))


def too_large(source: str, size: int | None, limits: FetchLimits) -> ImageTooLarge:
    """Say that a picture is over the limit; ``size`` in bytes, None when only that it is larger is known."""
    seen = f"has {size:,} bytes, more than" if size is not None else "has more than"
    return ImageTooLarge(f"{source!r} {seen} the limit of {limits.max_bytes:,} (max_bytes).")


def read_file(path: str, limits: FetchLimits) -> bytes:
    """Return a file's bytes.

    Raises:
        FetchFailed: it is gone, not permitted, not a regular file, or the disk failed.
        ImageTooLarge: it has more than ``limits.max_bytes``.
    """
    return read_part(path, limits, path, 0, None)


def read_part(path: str, limits: FetchLimits, source: str, offset: int, size: int | None) -> bytes:
    """Return ``size`` bytes from ``offset`` on (None: all that follow), through a file handle of its own."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FetchFailed(f"cannot read {source!r}: it is not a regular file.")
            wanted = status.st_size - offset if size is None else size
            if wanted > limits.max_bytes:
                raise too_large(source, wanted, limits)
            file.seek(offset)
            data = file.read(wanted)
    except ImageError:
        raise
    except OSError as error:
        raise failure(source, error) from error
    except ValueError as error:  # a NUL in the path
        raise FetchFailed(f"cannot read {source!r}: {error}.") from error
    if size is not None and len(data) < size:
        raise FetchFailed(f"cannot read {source!r}: the archive ends in the middle of it.", hint="Fetch it again.")
    return data


def _without_waiting(path: str, flags: int) -> int:
    # Opening a named pipe waits for its other end for ever, unless told not to; regular files do not care.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def file_item(
    path: str, root: str, id: str, status: os.stat_result, limits: FetchLimits, metadata: Metadata | None = None
) -> Item:
    """Return the item of one file whose status is known; its bytes wait until they are asked for."""
    return Item(
        id=id,
        root=root,
        source=path,
        stamp=Stamp(status.st_size, status.st_mtime_ns),
        read=partial(read_file, path, limits),
        metadata=metadata or {},
    )
