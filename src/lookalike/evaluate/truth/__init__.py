"""The table of ground-truth formats. A new one is a file beside this and its line in ``_READERS``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ...errors import BadInput, NoSuchFile, UnknownName
from ...images.printable import printable
from ...nearest_name import choices
from . import (
    beir,
    cars,
    cub,
    disc,
    folder,
    idx,
    in_shop,
    labelled,
    landmarks,
    market,
    oml,
    omniglot,
    pairs,
    revisited,
    sop,
    trec,
    triplets,
)
from .base import Reader, Truth
from .joining import Joined, join
from .tables import first_line

__all__ = ["TRUTHS", "Joined", "Reader", "Truth", "join", "read_truth"]

# The surest signs first: of two formats that take a path, the first reads it.
_READERS = (
    revisited.READER,
    market.READER,
    cub.READER,
    cub.SPLIT_READER,
    cars.READER,
    in_shop.READER,
    sop.READER,
    idx.READER,
    beir.READER,
    disc.READER,
    landmarks.READER,
    oml.READER,
    triplets.READER,
    pairs.READER,
    labelled.READER,
    trec.READER,
    omniglot.READER,
    folder.READER,
)

TRUTHS: Mapping[str, Reader] = MappingProxyType({reader.name: reader for reader in _READERS})


def read_truth(
    path: str | Path, *, format: str | None = None, label: str | None = None, training: bool = False
) -> Truth:
    """Read a truth file or folder; its format is seen from its files and headers unless it is named.

    Args:
        path: the file or folder.
        format: a key of ``TRUTHS``.
        label: a CSV's column of labels, where it is not called ``label`` or the like; the format is ``labels`` then.
        training: of a benchmark that parts what is trained on from what is measured on, read the former.

    Raises:
        NoSuchFile: nothing is there.
        UnknownName: no such format; the nearest is offered.
        BadInput: nothing known looks like it, or it contradicts itself; the file and the line are named.
    """
    where = Path(path).expanduser()
    if format is not None and format not in TRUTHS:
        raise UnknownName(f"unknown truth format {format!r}.", hint=choices(format, TRUTHS))
    if not where.exists():
        raise NoSuchFile(f"no such truth file: {where}.")
    if label is not None:
        if format not in (None, labelled.READER.name):
            raise BadInput(f"the format {format!r} has no column of labels to name.", hint="Leave --label out.")
        return labelled.read(where, label=label)
    if format is not None:
        return _read(TRUTHS[format], where, training)
    for reader in TRUTHS.values():
        if reader.looks(where):
            return _read(reader, where, training)
    raise BadInput(
        f"{where} looks like no ground truth that is known: "
        + ("no benchmark's layout and no folder of images a class." if where.is_dir() else _columns(where)),
        hint="Name the column of the labels (--label COLUMN), or give a CSV with the header file,label or "
        f"query,relevant, or name the format (--format): {', '.join(TRUTHS)}.",
    )


def _read(reader: Reader, path: Path, training: bool) -> Truth:
    return reader.training(path) if training and reader.training is not None else reader.read(path)


def _columns(path: Path) -> str:
    found = [printable(name) for name in first_line(path)[:12]]
    return f"its first line has {', '.join(found)}." if any(found) else "its first line is empty, or no text."
