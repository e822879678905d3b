"""The bytes of stored images, for thumbnails and links; nothing outside the collection is ever read."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import FetchFailed, NotFound
from ..images.archives import read_member
from ..images.names import is_url, split_archive
from ..images.reading import FetchLimits, read_file
from ..types import Record
from .collections import Served

__all__ = ["original", "safe_path"]


def original(record: Record, served: Served, fetch: Callable[[str], bytes] | None = None) -> bytes:
    """Return the file of a record as it is now.

    Raises:
        NotFound: there is none to give: it came from memory, is behind a URL that is not fetched, is gone, or its path
            leads outside the indexed folder now.
    """
    source = record.source
    if source.startswith("memory:"):
        raise NotFound(f"{record.id!r} came without a file: there is no picture of it.")
    try:
        if is_url(source):
            if fetch is None:
                raise NotFound(f"{record.id!r} lies elsewhere on the web.", hint="Ask its own address.")
            return fetch(source)
        archive, member = split_archive(source)
        if archive and not os.path.lexists(source):
            return read_member(safe_path(archive, record.root), member, FetchLimits())
        return read_file(safe_path(source, record.root), FetchLimits())
    except FetchFailed as error:
        # The message would tell the path.
        raise NotFound(f"the file of {record.id!r} cannot be read.", hint="It may have moved: rebase.") from error


def safe_path(path: str, root: str) -> str:
    """Return the real path, which is the indexed path itself or lies below the indexed folder.

    A link that was put in the place of an indexed file, and leads elsewhere, is refused.

    Raises:
        NotFound: it leads outside.
    """
    real = os.path.realpath(path)
    if real == os.path.normpath(path):
        return real
    folder = os.path.realpath(root) if root else ""
    whole_disk = folder.endswith(os.sep)  # the root of lists that name files anywhere
    if folder and not whole_disk and (real == folder or real.startswith(folder + os.sep)):
        return real
    raise NotFound("the file is a link to somewhere outside the indexed folder.", hint="Index that folder itself.")
