"""A folder (or an archive) with a folder for each class: ``cats/1.jpg``; the first folder below the root is the label.

Images that lie in the root itself are distractors. With folders ``query`` and ``gallery`` (or ``test`` and ``train``)
and classes below them, the images of the first search those of the second; those of ``train`` are trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...errors import BadInput
from ...images import Item, scan
from ...images.names import is_archive
from .base import Reader, Truth
from .building import Labelled, base_alone

__all__ = ["READER", "images_below", "read"]

SPLITS = (("query", "gallery"), ("test", "train"))


def looks(path: Path) -> bool:
    """Whether it is a folder or an archive with a folder that holds an image."""
    return any("/" in name for name in images_below(path))


def read(path: Path) -> Truth:
    """Read the names of the files.

    Raises:
        BadInput: no folder below it holds an image.
    """
    names = list(images_below(path))
    tops = {name.split("/")[0] for name in names if "/" in name}
    split = next((pair for pair in SPLITS if tops == set(pair)), None)
    items = Labelled(path)
    parts: dict[str, list[int]] = {top: [] for top in tops}
    for name in names:
        folders = name.split("/")[:-1]
        position = items.add(0, name, folders[1:2] if split else folders[:1])
        if split and position is not None and folders:
            parts[folders[0]].append(position)
    if not tops or not items.sets().names:
        raise BadInput(f"{path} holds no folder of images.", hint="Put the images of each class into a folder.")
    return Truth(
        path=path,
        format="folder",
        names=items.names(),
        labels=items.sets(),
        queries=np.array(parts[split[0]], np.int64) if split else None,
        base=np.array(parts[split[1]], np.int64) if split else None,
        folders=(path,),
    )


def images_below(path: Path) -> Iterator[str]:
    """Yield the ids that indexing a folder or an archive gives its images; nothing for another file."""
    if path.is_dir() or is_archive(path.name):
        yield from (entry.id for entry in scan(path) if isinstance(entry, Item))


def read_training(path: Path) -> Truth:
    """Read what may be trained on: all of it, or the images of ``train`` where ``test`` is beside it.

    Raises:
        As ``read``.
    """
    whole = read(path)
    parted = whole.base is not None and whole.names[int(whole.base[0])].startswith("train/")
    return base_alone(read)(path) if parted else whole


READER = Reader("folder", "a folder of images for each class", looks, read, read_training)
