"""What a source offers: pictures that have not been read yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import LookalikeError
from ..types import Metadata, Stamp

__all__ = ["Item", "Skipped"]


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One picture of a source.

    Attributes:
        id: the caller's, or the POSIX path relative to ``root``, undecodable bytes as %XX.
        root: absolute path of the folder or archive it was found under; empty for a URL.
        source: absolute path, URL or ``archive.tar!/member``; undecodable bytes are surrogate escapes.
        stamp: size and time of the file (for an archive member: its size, the archive's time); None for a URL.
        metadata: JSON values that came with it: list columns, WebDataset ``.json`` and ``.txt``.
        given_id: ``id`` is the caller's (a column of a list), so it replaces the record that has it.
        read: returns the bytes; called from another thread, at most once; raises FetchFailed or ImageTooLarge.
    """

    id: str
    root: str
    source: str
    stamp: Stamp | None
    read: Callable[[], bytes]
    metadata: Metadata = field(default_factory=dict)
    given_id: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Skipped:
    """Something that was found and cannot be used, with the reason."""

    source: str
    error: LookalikeError
