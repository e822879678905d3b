"""Stanford Online Products: ``Ebay_test.txt`` with ``image_id class_id super_class_id path``.

Each test image searches the others; the 12 kinds of product are the groups. ``Ebay_train.txt`` is trained on.
Source: Oh Song, Xiang, Jegelka and Savarese, Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import BadInput
from .base import Reader, Truth
from .building import Labelled, taken
from .tables import first_line, lines_of

__all__ = ["READER", "read"]

HEADER = ["image_id", "class_id", "super_class_id", "path"]


def looks(path: Path) -> bool:
    """Whether it has the header, or is a folder with ``Ebay_test.txt``."""
    where = _file(path)
    return where.is_file() and where.suffix == ".txt" and first_line(where, separator=" ") == HEADER


def read(path: Path) -> Truth:
    """Read it.

    Raises:
        NoSuchFile, BadInput: another header, or a line without four fields.
    """
    return _listed(_file(path))


def read_training(path: Path) -> Truth:
    """Read ``Ebay_train.txt`` of a folder; a file is taken as it is.

    Raises:
        As ``read``.
    """
    return taken(_listed(path / "Ebay_train.txt" if path.is_dir() else path), "all lines")


def _listed(where: Path) -> Truth:
    items, groups = Labelled(where), []
    for line, fields in lines_of(where, separator=None):
        if line == 1 and fields == HEADER:
            continue
        if len(fields) != 4:
            raise BadInput(f"line {line} of {where} has {len(fields)} fields.", hint=f"A line has {' '.join(HEADER)}.")
        if items.add(line, fields[3], [fields[1]]) is not None:
            groups.append(fields[2])
    return Truth(
        path=where,
        format="sop",
        names=items.names(),
        labels=items.sets(),
        groups=tuple(groups),
        folders=(where.parent,),
        notes=items.notes(),
    )


def _file(path: Path) -> Path:
    return path / "Ebay_test.txt" if path.is_dir() else path


READER = Reader("sop", "Stanford Online Products: Ebay_test.txt", looks, read, read_training)
