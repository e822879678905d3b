"""In-Shop Clothes Retrieval: ``list_eval_partition.txt`` with ``image_name item_id evaluation_status``.

The first line counts, the second is the header; queries search the gallery. Source: Liu et al., DeepFashion, CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import BadInput
from .base import Reader, Truth
from .building import Labelled, taken
from .tables import lines_of

__all__ = ["READER", "read"]

NAME = "list_eval_partition.txt"
STATES = ("train", "query", "gallery")


def looks(path: Path) -> bool:
    """Whether it is the list, or a folder with it."""
    return _file(path).name == NAME and _file(path).is_file()


def read(path: Path) -> Truth:
    """Read it; the training images are left out.

    Raises:
        NoSuchFile, BadInput: a line without three fields, an unknown state, or no query or no gallery.
    """
    return _states(path, ("query", "gallery"))


def read_training(path: Path) -> Truth:
    """Read the training images.

    Raises:
        NoSuchFile, BadInput: a line without three fields, an unknown state, or no training image.
    """
    return taken(_states(path, ("train",)), "the images whose status is train")


def _states(path: Path, wanted: Sequence[str]) -> Truth:
    where = _file(path)
    items = Labelled(where)
    parts: dict[str, list[int]] = {state: [] for state in wanted}
    for line, fields in lines_of(where, separator=None):
        if line == 1 or fields == ["image_name", "item_id", "evaluation_status"]:
            continue
        if len(fields) != 3 or fields[2] not in STATES:
            raise BadInput(
                f"line {line} of {where} is {' '.join(fields)!r}.",
                hint="A line has image_name item_id evaluation_status, the last one of train, query and gallery.",
            )
        if fields[2] in parts and (position := items.add(line, fields[0], [fields[1]])) is not None:
            parts[fields[2]].append(position)
    if not all(parts.values()):
        counts = ", ".join(f"{len(found)} of {state}" for state, found in parts.items())
        raise BadInput(f"{where} has no images of each part that is needed: {counts}.")
    measured = "query" in parts
    return Truth(
        path=where,
        format="in-shop",
        names=items.names(),
        labels=items.sets(),
        queries=np.array(parts["query"], np.int64) if measured else None,
        base=np.array(parts["gallery"], np.int64) if measured else None,
        folders=(where.parent, where.parent.parent),
        notes=items.notes(),
    )


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    return next((some for some in (path / NAME, path / "Eval" / NAME) if some.is_file()), path / NAME)


READER = Reader("in-shop", "In-Shop Clothes Retrieval: list_eval_partition.txt", looks, read, read_training)
