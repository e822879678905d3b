"""What a person names to be uploaded, as images that are yet to be read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from ..collection.in_memory import AnyImage, items_of
from ..errors import BadInput
from ..images import FetchLimits, Item, Skipped, scan
from ..types import Metadata

__all__ = ["Source", "images_in", "pictures_of"]

Source = str | os.PathLike[str]


def images_in(
    source: Source | Sequence[Source], exclude: Sequence[str], *, include_hidden: bool, limits: FetchLimits | None
) -> list[Iterator[Item | Skipped]]:
    """Return the images of each source; every one is checked before the first image is read.

    Raises:
        NoSuchFile: one does not exist. BadInput: there is none, or it is no source.
    """
    sources = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    if not sources:
        raise BadInput("there is nothing to add.", hint="Name a folder, an image, an archive, a list or a URL.")
    hidden, limits = include_hidden, limits or FetchLimits()
    return [scan(os.path.expanduser(each), exclude=exclude, include_hidden=hidden, limits=limits) for each in sources]


def pictures_of(
    images: Sequence[AnyImage], ids: Sequence[str], metadata: Sequence[Metadata] | None
) -> Iterator[Item | Skipped]:
    """Return pictures in memory as images of a source; see ``items_of``."""
    return iter(items_of(images, ids, metadata))
