"""Small pictures of stored images: encoded anew, so that nothing of the original file reaches a browser; cached."""

from __future__ import annotations

import hashlib
import secrets
import threading
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..errors import ImageError, MissingExtra, NotFound
from ..images.decode import decode
from ..images.thumbnails import thumbnail_jpeg
from ..types import Record
from .collections import Served
from .originals import original
from .settings import Settings

__all__ = ["Picture", "Thumbnails"]

_FULL_SIDE = 2048  # of the picture that stands for the original
_SWEEP_EVERY = 512  # new files between two looks at how much room they take


class Picture(NamedTuple):
    """An encoded picture."""

    data: bytes
    etag: str


class Thumbnails:
    """Makes and keeps small JPEGs in ``derived/thumbnails`` of each collection.

    Args:
        settings: sizes, room and the largest picture that is decoded.
        fetch: for images that lie behind URLs.
    """

    def __init__(self, settings: Settings, fetch: Callable[[str], bytes] | None = None) -> None:
        self._sides = sorted(set(settings.thumbnail_sides))
        self._room = settings.thumbnail_cache
        self._megapixels = settings.max_megapixels
        self._fetch = fetch
        self._made = 0
        self._sweeping = threading.Lock()

    def side(self, wanted: int) -> int:
        """Return the size that is made for a size that was asked for: the next larger one."""
        return self._sides[min(bisect_left(self._sides, wanted), len(self._sides) - 1)]

    @staticmethod
    def etag(record: Record, side: int) -> str:
        """Return what changes whenever the picture does."""
        what = record.content_hash or f"{record.row}-{record.indexed_ns}"
        return f'"{what[:20]}-{side}"'

    def small(self, record: Record, served: Served, side: int) -> Picture:
        """Return the thumbnail of a record, from the cache where it is there.

        Raises:
            NotFound: there is no file to make it of, or no decoder takes it any more.
        """
        etag = self.etag(record, side)
        file = self._file(record, served, side)
        try:
            return Picture(file.read_bytes(), etag)
        except OSError:
            data = self._encode(record, served, side)
        self._keep(file, data)
        return Picture(data, etag)

    def full(self, record: Record, served: Served) -> Picture:
        """Return a picture of the original that is encoded anew, without its metadata (place, camera)."""
        return Picture(self._encode(record, served, _FULL_SIDE), self.etag(record, _FULL_SIDE))

    def _encode(self, record: Record, served: Served, side: int) -> bytes:
        data = original(record, served, self._fetch)
        try:
            # The decoder reduces to no less than 2.2 times this, on the short side.
            pixels = decode(data, input_size=max(1, side // 2), max_megapixels=self._megapixels).pixels
        except (ImageError, MissingExtra) as error:
            raise NotFound(f"the file of {record.id!r} is no picture any more: {error.message}") from error
        return thumbnail_jpeg(pixels, side)

    def _file(self, record: Record, served: Served, side: int) -> Path:
        name = hashlib.sha256(f"{record.row}\n{self.etag(record, side)}".encode()).hexdigest()
        return served.folder / "derived" / "thumbnails" / str(side) / name[:2] / f"{name[2:34]}.jpg"

    def _keep(self, file: Path, data: bytes) -> None:
        if self._room <= 0:
            return
        part = file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(file)
        except OSError:
            part.unlink(missing_ok=True)  # a full or read-only disk: it is only a cache
            return
        self._made += 1
        if self._made % _SWEEP_EVERY == 0 and self._sweeping.acquire(blocking=False):
            try:
                self._sweep(file.parents[2])
            finally:
                self._sweeping.release()

    def _sweep(self, folder: Path) -> None:
        """Delete the oldest files once they take more room than they may."""
        try:
            found = [(entry.stat(), entry) for entry in folder.rglob("*") if entry.is_file()]
        except OSError:
            return
        total = sum(status.st_size for status, _ in found)
        if total <= self._room:
            return
        for status, entry in sorted(found, key=lambda pair: pair[0].st_mtime):
            if total <= self._room * 0.8:
                return
            entry.unlink(missing_ok=True)
            total -= status.st_size
