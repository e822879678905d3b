"""One member of an archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from ..errors import ImageError

__all__ = ["Member", "refuse"]


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A regular file within an archive.

    Attributes:
        name: as the archive writes it; undecodable bytes are surrogate escapes.
        size: bytes, unpacked.
        read: returns the bytes; safe in any thread; raises FetchFailed or ImageTooLarge.
    """

    name: str
    size: int
    read: Callable[[], bytes]


def refuse(error: ImageError) -> NoReturn:
    """Raise the error; what ``read`` does for a member that is known to be unusable."""
    raise error
