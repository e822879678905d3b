"""Queries that are not in the collection: found on disk, embedded as the collection's own images were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from ..errors import BadInput, ImageError
from ..images import Item, scan
from ..images.decode import decode
from ..images.names import IMAGE_SUFFIXES
from ..protocols import Embedder
from ..types import Image, Vectors
from .boxes import Embeds, with_boxes, without_boxes
from .truth.base import Ints
from .truth.joining import Joined, Outside, match

__all__ = ["with_outside"]

_BATCH = 32
_SUFFIXES = ("", *sorted(IMAGE_SUFFIXES, key=lambda suffix: (suffix not in (".jpg", ".png", ".jpeg"), suffix)))


def with_outside(collection: Embeds, joined: Joined, folder: str | Path | None = None, *, boxes: bool = True) -> Joined:
    """Return the joined truth with the queries that are images on disk only, and the truth's boxes applied.

    Args:
        collection: gives the embedder; asked for it only when there is something to embed.
        joined: a truth that was joined to the collection.
        folder: a folder (or archive) of query images: the names of the truth that it holds become the queries. None:
            the queries that the truth names are looked for where its format keeps them.
        boxes: apply them; False: whole images are compared, and a note says so.

    Raises:
        BadInput: the folder holds no image that the truth names.
        NoSuchFile: there is no such folder.
    """
    asked: Ints | None = None
    if folder is not None:
        found, _ = match(joined.truth.names, (entry for entry in scan(folder) if isinstance(entry, Item)))
        if not found:
            raise BadInput(
                f"{folder} holds no image that {joined.truth.path} names; its first name is {joined.truth.names[0]!r}.",
                hint="Names join by the end of the path.",
            )
        asked = np.array(sorted(found), np.int64)
        wanted = {at: item for at, item in found.items() if joined.rows[at] < 0}
    else:
        wanted = _beside_the_truth(joined)
    outside = _embedded(collection.embedder, wanted) if wanted else None
    complete = replace(joined, outside=outside, asked=asked)
    return with_boxes(collection, complete) if boxes else without_boxes(complete, "--no-boxes asks for it.")


def _beside_the_truth(joined: Joined) -> dict[int, Item]:
    truth = joined.truth
    missing: Sequence[int] = [] if truth.queries is None else truth.queries[joined.rows[truth.queries] < 0].tolist()
    found = {}
    for at in missing:
        paths = (folder / f"{truth.names[at]}{suffix}" for folder in truth.folders for suffix in _SUFFIXES)
        path = next((path for path in paths if path.is_file()), None)
        if path is not None:
            found[at] = next(entry for entry in scan(path) if isinstance(entry, Item))
    return found


def _embedded(embedder: Embedder, items: Mapping[int, Item]) -> Outside | None:
    """Embed the images; one that cannot be read is left out, and is a query without an image."""
    vectors: list[Vectors] = []
    places: list[int] = []
    pending = iter(items.items())
    while some := list(islice(pending, _BATCH)):
        read = list(_pixels(some, embedder.input_size))
        if read:
            vectors.append(embedder.embed([pixels for _, pixels in read]))
            places += [at for at, _ in read]
    if not places:
        return None
    return Outside(
        np.concatenate(vectors),
        tuple(items[at].source for at in places),
        {at: number for number, at in enumerate(places)},
    )


def _pixels(some: Sequence[tuple[int, Item]], side: int) -> Iterator[tuple[int, Image]]:
    for at, item in some:
        try:
            yield at, decode(item.read(), input_size=side).pixels
        except ImageError:
            continue
