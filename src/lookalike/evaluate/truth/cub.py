"""Caltech-UCSD Birds 200-2011: ``images.txt``, ``image_class_labels.txt``, ``train_test_split.txt``.

``cub`` is the protocol of metric learning: the second half of the classes, which training has not seen, each image
against the others (Oh Song et al., CVPR 2016); the first half is trained on. ``cub-split`` is the split of
classification: test images search the training images. Source: Wah, Branson, Welinder, Perona and Belongie,
CNS-TR-2011-001.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import BadInput
from .base import Reader, Truth
from .building import Labelled, base_alone, taken
from .tables import lines_of, whole_number

__all__ = ["READER", "SPLIT_READER", "read", "read_split"]

FILES = ("images.txt", "image_class_labels.txt", "train_test_split.txt")


def looks(path: Path) -> bool:
    """Whether it is a folder with the first two lists."""
    return path.is_dir() and all((path / name).is_file() for name in FILES[:2])


def read(path: Path) -> Truth:
    """Read the second half of the classes.

    Raises:
        NoSuchFile, BadInput: a list is missing, or a line has not two fields.
    """
    return _half(path, second=True)


def read_training(path: Path) -> Truth:
    """Read the first half of the classes, which ``read`` leaves out.

    Raises:
        As ``read``.
    """
    return taken(_half(path, second=False), "the first half of the classes")


def _half(path: Path, *, second: bool) -> Truth:
    images, classes = _column(path / FILES[0]), _column(path / FILES[1])
    numbers = {key: whole_number(path / FILES[1], line, text, "a class") for key, (line, text) in classes.items()}
    first = max(numbers.values(), default=0) // 2
    items = Labelled(path / FILES[0])
    for key, (line, name) in images.items():
        if (_known(path, key, numbers) > first) == second:
            items.add(line, name, [name.split("/")[0]])
    return Truth(path=path, format="cub", names=items.names(), labels=items.sets(), folders=(path / "images", path))


def read_split(path: Path) -> Truth:
    """Read all classes; queries are the test images, the base are the training images."""
    images, classes, training = (_column(path / name) for name in FILES)
    items = Labelled(path / FILES[0])
    queries: list[int] = []
    base: list[int] = []
    for key, (line, name) in images.items():
        _known(path, key, dict.fromkeys(classes, 0))
        position = items.add(line, name, [name.split("/")[0]])
        if position is not None:
            (base if training.get(key, (0, "0"))[1] == "1" else queries).append(position)
    return Truth(
        path=path,
        format="cub-split",
        names=items.names(),
        labels=items.sets(),
        queries=np.array(queries, np.int64),
        base=np.array(base, np.int64),
        folders=(path / "images", path),
    )


def _column(path: Path) -> dict[str, tuple[int, str]]:
    """Return image number -> (line, value)."""
    out = {}
    for line, fields in lines_of(path, separator=None):
        if len(fields) != 2:
            raise BadInput(f"line {line} of {path} has {len(fields)} fields, 2 are needed.")
        out[fields[0]] = (line, fields[1])
    return out


def _known(path: Path, key: str, classes: dict[str, int]) -> int:
    if key not in classes:
        raise BadInput(f"image {key} of {path / FILES[0]} has no line in {path / FILES[1]}.")
    return classes[key]


READER = Reader(
    "cub",
    "CUB-200-2011: images.txt, image_class_labels.txt; the unseen half of the classes",
    looks,
    read,
    read_training,
)
SPLIT_READER = Reader(
    "cub-split", "CUB-200-2011: test images search training images", lambda _: False, read_split, base_alone(read_split)
)
