"""The vectors of one space at one moment: a file mapped into memory, and what has changed since it was written.

``derived/<space>.vectors`` is a copy in the order that searching wants. It is written aside, synced and renamed, and
it is made again from the database whenever it is absent, torn, or of another database or fingerprint.

Layout, little-endian: a header of 192 bytes (below), then rows int64[n], then vectors float32[n, dim] or bits
uint8[n, ceil(dim / 8)], each part starting at a multiple of 64 bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..types import Rows, Segment, Vectors, VectorSpace

__all__ = ["Identity", "MappedFiles", "MappedVectors", "VectorSnapshot", "map_vectors", "write_vectors"]

_MAGIC = b"LKALVEC1"
_HEADER = struct.Struct("<8s16s32s6Q")  # magic, database, fingerprint, dim, n, seq, rows at, vectors at, size
_HEADER_SIZE = 192
_ALIGN = 64


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose vectors a derived file holds."""

    database: str  # 32 hex digits, made with the database
    space: VectorSpace
    regions: bool = False  # of parts of images, not of whole ones

    def key(self) -> tuple[bytes, bytes, int]:
        """Return what the header compares: database, digest of the space, dimension."""
        space = self.space
        parts = ["regions"] if self.regions else []
        what = "\n".join([space.name, space.fingerprint, space.kind, space.similarity, *parts])
        return bytes.fromhex(self.database), hashlib.sha256(what.encode()).digest(), space.dim


@dataclass(frozen=True, slots=True, eq=False)
class MappedVectors:
    """A derived file, mapped: nothing is read until it is looked at."""

    rows: Rows  # (N,), ascending
    vectors: Vectors  # (N, D)
    seq: int  # the store's clock when it was written


@dataclass(frozen=True, slots=True, eq=False)
class VectorSnapshot:
    """All vectors of one space at one moment; keeps the ``Snapshot`` protocol.

    Attributes:
        space: what the vectors mean.
        version: the store's version that it shows.
        segments: disjoint parts, searched one by one without copying; together they are all the vectors.
    """

    space: VectorSpace
    version: int
    segments: tuple[Segment, ...]

    def __len__(self) -> int:
        return sum(len(segment) for segment in self.segments)

    @property
    def rows(self) -> Rows:
        """Return (N,) row ids, ascending; the vectors are not looked at."""
        if len(self.segments) == 1 and not len(self.segments[0].dead):
            return self.segments[0].rows
        parts = [np.delete(segment.rows, segment.dead) for segment in self.segments]
        return np.sort(np.concatenate(parts or [np.empty(0, np.int64)]))

    @property
    def vectors(self) -> Vectors:
        """Return (N, D) in the order of ``rows``: without a copy only when there is one whole segment."""
        if len(self.segments) == 1 and not len(self.segments[0].dead):
            return self.segments[0].vectors
        parts = [segment.alive() for segment in self.segments]
        rows = np.concatenate([part[0] for part in parts] or [np.empty(0, np.int64)])
        vectors = np.concatenate([part[1] for part in parts] or [np.empty((0, self.space.width), self.space.dtype)])
        return vectors[np.argsort(rows, kind="stable")]


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGN) * _ALIGN


def write_vectors(
    file: Path, identity: Identity, seq: int, n: int, batches: Iterator[tuple[Rows, Vectors]]
) -> MappedVectors | None:
    """Write a derived file aside and rename it; memory used does not depend on ``n``.

    Args:
        file: where it goes; its folder is made.
        identity: whose vectors these are.
        seq: the store's clock at the moment that ``batches`` shows.
        n: how many vectors ``batches`` yields in all.
        batches: rows ascending, and their vectors.

    Returns:
        The file, mapped; None when it cannot be put in its place (on Windows, while another process maps the old one).

    Raises:
        OSError: the folder cannot be written or the disk is full; nothing is left behind.
    """
    file.parent.mkdir(exist_ok=True)
    rows_at = _HEADER_SIZE
    vectors_at = _aligned(rows_at + 8 * n)
    space = identity.space
    size = vectors_at + n * space.row_bytes
    head = _HEADER.pack(_MAGIC, *identity.key(), n, seq, rows_at, vectors_at, size)
    aside = file.with_name(f"{file.name}.{secrets.token_hex(6)}.part")
    try:
        with aside.open("xb") as out:
            out.write((head + hashlib.sha256(head).digest()).ljust(_HEADER_SIZE, b"\0"))
            done = 0
            for rows, vectors in batches:
                out.seek(rows_at + 8 * done)
                out.write(np.ascontiguousarray(rows, "<i8").data)
                out.seek(vectors_at + done * space.row_bytes)
                out.write(np.ascontiguousarray(vectors, space.dtype).data)
                done += len(rows)
            out.truncate(size)
            out.flush()
            os.fsync(out.fileno())
        try:
            aside.replace(file)
        except PermissionError:
            return None
        return map_vectors(file, identity)
    finally:
        aside.unlink(missing_ok=True)


def map_vectors(file: Path, identity: Identity) -> MappedVectors | None:
    """Map a derived file; None when it is absent, torn, or not of ``identity``."""
    with contextlib.suppress(OSError, ValueError), file.open("rb") as source:
        raw = source.read(_HEADER_SIZE)
        if len(raw) < _HEADER_SIZE:
            return None
        head, checksum = raw[: _HEADER.size], raw[_HEADER.size : _HEADER.size + 32]
        magic, database, digest, dim, n, seq, rows_at, vectors_at, size = _HEADER.unpack(head)
        if magic != _MAGIC or hashlib.sha256(head).digest() != checksum:
            return None
        if (database, digest, dim) != identity.key() or os.fstat(source.fileno()).st_size != size:
            return None
        mapped = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        rows = np.frombuffer(mapped, "<i8", n, rows_at)
        space = identity.space
        vectors = np.frombuffer(mapped, space.dtype, n * space.width, vectors_at).reshape(n, space.width)
        return MappedVectors(rows, vectors, seq)
    return None


class MappedFiles:
    """The derived files that a store has mapped, so that a small change of the database maps none of them anew.

    A new mapping of an old file costs a fault for every page that a search reads. A file is only ever replaced by
    another one, never changed; the old one cannot give its number away while it is mapped.
    """

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[tuple[object, ...], MappedVectors]] = {}

    def map(self, file: Path, identity: Identity) -> MappedVectors | None:
        """Return what ``map_vectors`` returns, the very same as long as the file is."""
        try:
            status = file.stat()
        except OSError:
            self.forget(file)
            return None
        key = (identity.key(), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        kept = self._kept.get(file)
        if kept is not None and kept[0] == key:
            return kept[1]
        mapped = map_vectors(file, identity)
        if mapped is None:
            self.forget(file)
        else:
            self._kept[file] = key, mapped
        return mapped

    def forget(self, file: Path) -> None:
        """Let go of a file that is about to be replaced: Windows replaces none that is mapped."""
        self._kept.pop(file, None)

    def close(self) -> None:
        """Forget them all; those that a snapshot shows stay until it is gone."""
        self._kept.clear()
