"""Members of a zip archive, in the order of their names."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock

from ..errors import FetchFailed, ImageError
from .item import Skipped
from .member import Member, refuse
from .reading import FetchLimits, failure, too_large

__all__ = ["read_zip_member", "zip_members"]

# RuntimeError: a password is needed. NotImplementedError: a compression that this Python has not.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError, OSError)


def zip_members(path: str, wanted: Callable[[str], bool], limits: FetchLimits) -> Iterator[Member | Skipped]:
    """Yield the members with a wanted name; an archive that cannot be read is yielded as skipped."""
    try:
        archive = zipfile.ZipFile(path)  # the members' readers hold it; it closes with the last of them
    except _BROKEN as error:
        yield Skipped(path, _damaged(path, error))
        return
    lock = Lock()
    # Sorted, so that the parts of a sample stand side by side, in whatever order they were added.
    for info in sorted(archive.infolist(), key=lambda info: info.filename):
        if info.is_dir() or not wanted(info.filename):
            continue
        source = f"{path}!/{info.filename}"
        if info.file_size > limits.max_bytes:
            yield Member(info.filename, info.file_size, partial(refuse, too_large(source, info.file_size, limits)))
        else:
            yield Member(info.filename, info.file_size, partial(_read, archive, info, source, limits, lock))


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str, limits: FetchLimits, lock: Lock) -> bytes:
    try:
        # Members may be read side by side, but zipfile counts who has the archive open without a lock of its own.
        with lock:
            member = archive.open(info)
        try:
            data = member.read(limits.max_bytes + 1)  # the size in the directory may be a lie
        finally:
            with lock:
                member.close()
    except _BROKEN as error:
        raise _damaged(source, error) from error
    if len(data) > limits.max_bytes:
        raise too_large(source, None, limits)
    return data


def _damaged(source: str, error: Exception) -> FetchFailed:
    if isinstance(error, OSError) and error.errno is not None:
        return failure(source, error)
    if isinstance(error, RuntimeError):  # NotImplementedError is one too
        return FetchFailed(f"cannot read {source!r}: {error}.", hint="Unpack it first, and index the folder.")
    return FetchFailed(f"{source!r} is damaged or cut off: {error}.", hint="Fetch the archive again.")


def read_zip_member(path: str, name: str, limits: FetchLimits) -> bytes:
    """Return the bytes of one member, by name.

    Raises:
        FetchFailed: no such archive or member, or the archive is damaged.
        ImageTooLarge: the member is over the limit.
    """
    source = f"{path}!/{name}"
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, archive.getinfo(name), source, limits, Lock())
    except KeyError as error:
        raise FetchFailed(f"there is no {name!r} in the archive {path!r}.") from error
    except _BROKEN as error:
        if isinstance(error, ImageError):
            raise
        raise _damaged(source, error) from error
