"""Bytes that came by once and are wanted later, kept on disk so that memory stays bounded."""

from __future__ import annotations

import tempfile
from functools import partial
from threading import Lock
from typing import IO

__all__ = ["Spool"]

_CHUNK = 64 * 1024 * 1024  # bytes; a chunk's file goes when nothing in it is wanted any more


class _Chunk:
    """One unnamed temporary file. It lives as long as a reader of it does."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="lookalike-")  # noqa: SIM115 - closed in __del__
        self._lock = Lock()
        self.size = 0

    def append(self, data: bytes) -> int:
        with self._lock:
            offset = self.size
            self._file.seek(offset)
            self._file.write(data)
            self.size += len(data)
        return offset

    def read(self, offset: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


class Spool:
    """Keeps what is put into it until the last reader of it has been dropped."""

    def __init__(self) -> None:
        self._chunk: _Chunk | None = None

    def put(self, data: bytes) -> partial[bytes]:
        """Keep the bytes and return what gives them back, from any thread.

        Raises:
            OSError: the temporary folder is full or read-only.
        """
        if self._chunk is None or self._chunk.size >= _CHUNK:
            self._chunk = _Chunk()
        offset = self._chunk.append(data)
        return partial(self._chunk.read, offset, len(data))
