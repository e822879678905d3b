"""Omniglot: ``images_background/Greek/character01/0394_01.png``; a label is an alphabet's character.

The alphabets are the groups within which episodes may draw their classes. Drawing classes within an alphabet is harder
than across alphabets, and the two are never compared. Source: Lake, Salakhutdinov and Tenenbaum, Science 350, 2015.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from ...errors import BadInput
from .base import Reader, Truth
from .building import Labelled
from .folder import images_below

__all__ = ["READER", "read"]

_CHARACTER = re.compile(r"(?:^|/)([^/]+)/(character[0-9]+)/[^/]+$")


def looks(path: Path) -> bool:
    """Whether the first image below it, or in it where it is an archive, lies in a folder ``character01``."""
    return any(_CHARACTER.search(name) for name in islice(images_below(path), 1))


def read(path: Path) -> Truth:
    """Read the names of the files.

    Raises:
        BadInput: no character has an image.
    """
    items, groups = Labelled(path), []
    for name in images_below(path):
        if (found := _CHARACTER.search(name)) is not None:
            alphabet, character = found.groups()
            items.add(0, name, [f"{alphabet}/{character}"])
            groups.append(alphabet)
    if not len(items):
        raise BadInput(f"{path} holds no images in folders ALPHABET/character01.")
    return Truth(path=path, format="omniglot", names=items.names(), labels=items.sets(), groups=tuple(groups))


READER = Reader("omniglot", "Omniglot: ALPHABET/character01/*.png", looks, read)
