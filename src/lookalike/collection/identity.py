"""Which id a new image gets when another image has the one it would like."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import PurePath
from typing import Protocol

from ..images.names import path_id, split_archive
from ..protocols import NewRecord, Store
from ..types import Record

__all__ = ["identify"]


class Wanting(NewRecord, Protocol):
    """A new record that wants its id, or has been given one that stays."""

    @property
    def given_id(self) -> bool: ...


def identify(wanting: Sequence[Wanting], store: Store) -> list[str]:
    """Return an id for each image; ids are the wanted ones wherever that is possible.

    A given id (the caller's) is taken as it is and replaces the record that has it. A path relative to its root gets
    the root's name in front when another image has it: two roots with a ``cat.jpg`` each. An image that took the place
    of a vanished one with the same id and the same bytes is that image, moved: it keeps the id, and so the row.
    """
    there = _records(store, {image.id for image in wanting})
    taken: dict[str, str] = {}  # id -> source, within these images
    ids = []
    for image in wanting:
        chosen = image.id
        if not image.given_id:
            candidates = _candidates(image)
            chosen = next(candidates)
            while not _free(chosen, image, store, there, taken):
                chosen = next(candidates)
        taken[chosen] = image.source
        ids.append(chosen)
    return ids


def _candidates(image: Wanting) -> Iterator[str]:
    yield image.id
    name = path_id(PurePath(image.root).name) or "root"
    yield f"{name}/{image.id}"
    for number in count(2):
        yield f"{name}-{number}/{image.id}"


def _free(
    candidate: str, image: Wanting, store: Store, there: dict[str, Record | None], taken: Mapping[str, str]
) -> bool:
    if candidate in taken:
        return taken[candidate] == image.source
    if candidate not in there:
        there.update(_records(store, {candidate}))
    record = there[candidate]
    if record is None or record.source == image.source:
        return True
    return record.content_hash == image.content_hash and _vanished(record.source)


def _records(store: Store, ids: set[str]) -> dict[str, Record | None]:
    ordered = sorted(ids)
    return dict(zip(ordered, store.get(ordered), strict=True))


def _vanished(source: str) -> bool:
    if not source or "://" in source:
        return False
    archive, _ = split_archive(source)
    return not os.path.lexists(archive or source)
