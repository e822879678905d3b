"""The table of ground-truth formats. A new one is a file beside this and its line in ``_FORMATS``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ...errors import BadInput, NoSuchFile, UnknownName
from . import labelled
from .base import Reader, Truth
from .joining import Joined, join

__all__ = ["TRUTHS", "Joined", "Reader", "Truth", "join", "read_truth"]

# The surest signs first: of two formats that take a path, the first reads it.
_FORMATS = (labelled,)

TRUTHS: Mapping[str, Reader] = MappingProxyType({one.READER.name: one.READER for one in _FORMATS})


def read_truth(path: str | Path, *, format: str | None = None) -> Truth:
    """Read a truth file or folder; its format is seen from its files and headers unless it is named.

    Raises:
        NoSuchFile: nothing is there.
        UnknownName: no such format; the nearest is offered.
        BadInput: nothing known looks like it, or it contradicts itself; the file and the line are named.
    """
    where = Path(path).expanduser()
    if format is not None and format not in TRUTHS:
        near = difflib.get_close_matches(format, TRUTHS, n=1)
        raise UnknownName(
            f"unknown truth format {format!r}.",
            hint=f"{f'Did you mean {near[0]!r}? ' if near else ''}Known: {', '.join(TRUTHS)}.",
        )
    if not where.exists():
        raise NoSuchFile(f"no such truth file: {where}.")
    if format is not None:
        return TRUTHS[format].read(where)
    for reader in TRUTHS.values():
        if reader.looks(where):
            return reader.read(where)
    raise BadInput(
        f"{where} looks like no ground truth that is known: "
        + ("no layout of a benchmark and no folder of images a class." if where.is_dir() else "see its first line."),
        hint=f"Give a CSV with the header file,label or query,relevant, or --format, one of: {', '.join(TRUTHS)}.",
    )
