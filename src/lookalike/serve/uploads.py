"""The files of images that came over the network: kept in ``uploads`` of their collection, as originals of its records.

A file gets a name that nobody chose, is written aside, synced and renamed before its record is committed, so a record
never lacks its file; a file without a record is what a crash left, and is swept.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

from ..errors import StorageFailed
from ..protocols import Store

__all__ = ["Uploads"]

_YOUNG_S = 3600  # a file this young may wait for its record


class Uploads:
    """The folder of one collection.

    Args:
        collection: the collection's folder.
    """

    def __init__(self, collection: Path) -> None:
        self.folder = collection.absolute() / "uploads"

    def keep(self, data: bytes) -> Path:
        """Write a file, on disk when this returns.

        Raises:
            StorageFailed: no room, or a read-only folder.
        """
        name = secrets.token_hex(16)
        file = self.folder / name[:2] / name
        part = file.with_suffix(".part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with part.open("xb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            part.replace(file)
            _sync(file.parent)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise StorageFailed(f"the picture could not be kept: {error.strerror or error}.") from error
        return file

    def drop(self, source: str) -> None:
        """Delete a file of ours; a source elsewhere is left alone."""
        if source.startswith(str(self.folder) + os.sep):
            with contextlib.suppress(OSError):
                Path(source).unlink()

    def sweep(self, store: Store) -> int:
        """Delete files that no record has, and return how many there were."""
        swept = 0
        for folder in self.folder.glob("[0-9a-f][0-9a-f]"):
            files = [str(file) for file in folder.glob("*")]
            for file, record in zip(files, store.known(files), strict=True):
                with contextlib.suppress(OSError):
                    if record is None and Path(file).stat().st_mtime < time.time() - _YOUNG_S:
                        Path(file).unlink()
                        swept += 1
        return swept


def _sync(folder: Path) -> None:
    """Put a new name on disk; not every system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
