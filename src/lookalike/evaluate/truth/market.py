"""Market-1501 and its kin: ``query/`` and ``bounding_box_test/`` with names such as ``0002_c1s1_000451_03.jpg``.

The first number is the person, the one after ``c`` the camera. Person 0 are distractors, person -1 is junk, which is
not in the base. Images of the query's own person by its own camera are taken out of its ranking.
Source: Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015, sec. 4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import BadInput
from ...images import looks_like_image
from .base import Reader, Same, Truth
from .building import Labelled, taken

__all__ = ["READER", "read"]

FOLDERS = ("query", "bounding_box_test")
_NAME = re.compile(r"(-?[0-9]+)_c([0-9]+)")


def looks(path: Path) -> bool:
    """Whether it is a folder with both."""
    return path.is_dir() and all((path / name).is_dir() for name in FOLDERS)


def read(path: Path) -> Truth:
    """Read the names of the files.

    Raises:
        BadInput: a folder is missing or empty, or a name has another form.
    """
    return _folders(path, FOLDERS)


def read_training(path: Path) -> Truth:
    """Read the names of the files of ``bounding_box_train``.

    Raises:
        As ``read``.
    """
    return taken(_folders(path, ("bounding_box_train",)), "the folder bounding_box_train")


def _folders(path: Path, folders: Sequence[str]) -> Truth:
    items = Labelled(path)
    cameras: list[int] = []
    parts: list[list[int]] = []
    junk = 0
    for folder in folders:
        if not (path / folder).is_dir():
            raise BadInput(f"{path} has no folder {folder}.")
        parts.append([])
        for name in sorted(file.name for file in (path / folder).iterdir() if looks_like_image(file.name)):
            found = _NAME.match(name)
            if found is None:
                raise BadInput(f"{path / folder / name} is not named PERSON_cCAMERA....")
            person, camera = found.groups()
            if int(person) < 0:
                junk += 1
                continue
            position = items.add(0, f"{folder}/{name}", [person] if int(person) else [])
            if position is not None:
                cameras.append(int(camera))
                parts[-1].append(position)
        if not parts[-1]:
            raise BadInput(f"{path / folder} holds no images.")
    return Truth(
        path=path,
        format="market",
        names=items.names(),
        labels=items.sets(),
        queries=np.array(parts[0], np.int64) if len(parts) > 1 else None,
        base=np.array(parts[1], np.int64) if len(parts) > 1 else None,
        same=(Same("camera", np.array(cameras, np.int64), with_label=True),),
        folders=(path,),
        notes=(f"{junk} junk images are not searched.",) if junk else (),
    )


READER = Reader("market", "Market-1501: query/ and bounding_box_test/", looks, read, read_training)
