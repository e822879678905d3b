"""Members of a tar, plain or compressed, in the order of the archive."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import IO, Any, Self, cast

from ..errors import FetchFailed, ImageError
from .item import Skipped
from .member import Member, refuse
from .reading import FetchLimits, failure, read_part, too_large
from .spool import Spool

__all__ = ["read_tar_member", "tar_members"]

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "lzma"}


_unstubbed: Any = tarfile  # names that the type stubs leave out
_END = (_unstubbed.EOFHeaderError, _unstubbed.EmptyHeaderError)

# Headers that only add to the next one: long names, other times, comments.
_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_LONGEST_EXTENSION = 1_000_000  # bytes


class _StrictInfo(tarfile.TarInfo):
    """A header whose damage is an error; tarfile itself takes it for the end of the archive, in silence."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except _END:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if found.size < 0:  # tarfile would go back and read the same header for ever (CVE-2025-8194)
            raise tarfile.ReadError("a member has a negative size")
        if found.type in _EXTENSIONS and found.size > _LONGEST_EXTENSION:  # tarfile would read it into memory
            raise tarfile.ReadError(f"a header has {found.size:,} bytes")
        return found


def _open(file: IO[bytes]) -> tuple[IO[bytes], bool]:
    """Return what gives the tar's own bytes, and whether they had to be decompressed; by content, not by name."""
    head = file.read(6)
    file.seek(0)
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")
    # Each of these is left out of some builds of Python, so it is imported when it is needed.
    if kind == "gzip":
        import gzip

        return cast(IO[bytes], gzip.GzipFile(fileobj=file)), True
    if kind == "bz2":
        import bz2

        return cast(IO[bytes], bz2.BZ2File(file)), True
    if kind == "lzma":
        import lzma

        return cast(IO[bytes], lzma.LZMAFile(file)), True
    return file, False


def _entries(file: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    with tarfile.open(fileobj=file, mode="r:", tarinfo=_StrictInfo, encoding="utf-8") as archive:
        while (info := archive.next()) is not None:
            yield info, archive
            cast(Any, archive).members.clear()  # tarfile remembers every header; a shard may have millions


def tar_members(path: str, wanted: Callable[[str], bool], limits: FetchLimits) -> Iterator[Member | Skipped]:
    """Yield the members with a wanted name; what is wrong with the archive comes last, as skipped.

    The bytes of a plain tar are read through a handle of their own, in parallel. A compressed one can be read once,
    from the beginning: its members are put aside on disk as they come by.
    """
    spool = Spool()
    try:
        with open(path, "rb") as raw:
            file, compressed = _open(raw)
            with file:
                for info, archive in _entries(file):
                    if info.isdir() or not wanted(info.name):
                        continue
                    source = f"{path}!/{info.name}"
                    if not info.isreg():
                        error = FetchFailed(f"{source!r} is a link or a device within the archive, not a picture.")
                        yield Skipped(source, error)
                    elif info.size > limits.max_bytes:
                        yield Member(info.name, info.size, partial(refuse, too_large(source, info.size, limits)))
                    elif compressed or info.issparse():
                        yield Member(info.name, info.size, spool.put(_bytes(info, archive)))
                    else:
                        read = partial(read_part, path, limits, source, info.offset_data, info.size)
                        yield Member(info.name, info.size, read)
    except Exception as error:
        yield Skipped(path, _damaged(path, error))


def _bytes(info: tarfile.TarInfo, archive: tarfile.TarFile) -> bytes:
    member = archive.extractfile(info)
    data = member.read() if member else b""
    if len(data) < info.size:
        raise EOFError("it ends in the middle of a member")
    return data


def _damaged(path: str, error: Exception) -> FetchFailed:
    if isinstance(error, OSError) and error.errno is not None:
        return failure(path, error)
    known = isinstance(error, (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError))
    if not known and type(error).__name__ != "LZMAError":
        raise error  # our own mistake, not the archive's
    return FetchFailed(
        f"the archive {path!r} is damaged or cut off: {error}.",
        hint="What was read before the damage is used; fetch the archive again.",
    )


@lru_cache(maxsize=4)
def _places(path: str, size: int, mtime_ns: int) -> dict[str, tuple[int, int]]:
    """Return where each member of a plain tar lies; size and time only make the cache forget a changed archive."""
    with open(path, "rb") as file:
        return {info.name: (info.offset_data, info.size) for info, _ in _entries(file) if info.isreg()}


def read_tar_member(path: str, name: str, limits: FetchLimits) -> bytes:
    """Return the bytes of one member, by name.

    Raises:
        FetchFailed: no such archive or member, or the archive is damaged.
        ImageTooLarge: the member is over the limit.
    """
    source = f"{path}!/{name}"
    try:
        with open(path, "rb") as raw:
            file, compressed = _open(raw)
            if compressed:
                with file:
                    return _search(file, name, source, limits)
        status = os.stat(path)
        place = _places(path, status.st_size, status.st_mtime_ns).get(name)
    except ImageError:
        raise
    except OSError as error:
        raise _damaged(source, error) from error
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise _damaged(source, error) from error
    if place is None:
        raise FetchFailed(f"there is no {name!r} in the archive {path!r}.", hint="The archive may have changed.")
    return read_part(path, limits, source, *place)


def _search(file: IO[bytes], name: str, source: str, limits: FetchLimits) -> bytes:
    for info, archive in _entries(file):
        if info.name == name and info.isreg():
            if info.size > limits.max_bytes:
                raise too_large(source, info.size, limits)
            return _bytes(info, archive)
    raise FetchFailed(f"there is no such member: {source!r}.", hint="The archive may have changed.")
