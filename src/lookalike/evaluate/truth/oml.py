"""The CSV of OpenMetricLearning: ``label, path, split, is_query, is_gallery`` and perhaps ``category``, ``sequence``.

Its validation part is read, or its training part to train on. An image that is both query and gallery searches all the
others; images of the query's own ``sequence`` are taken out of its ranking, whatever their label, as OML does. Boxes
(``x_1, y_1, x_2, y_2``: left, top, right, bottom) cut queries and gallery alike. Names of the columns: OML 3,
``oml.utils.dataframe_format``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import BadInput
from .base import Box, Reader, Same, Truth
from .building import Labelled, taken
from .tables import column, first_line, table_of

__all__ = ["READER", "read"]

NEEDED = ("label", "path", "split", "is_query", "is_gallery")
BOX = ("x_1", "y_1", "x_2", "y_2")
YES, NO = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no", "", "none", "nan")


def looks(path: Path) -> bool:
    """Whether the header has OML's columns."""
    return path.suffix.lower() == ".csv" and {"path", "split", "is_query", "is_gallery"} <= set(first_line(path))


def read(path: Path) -> Truth:
    """Read the lines whose ``split`` is ``validation``.

    Raises:
        NoSuchFile, BadInput: missing columns, a mark that is neither yes nor no, an image with two labels, or no query
            or no gallery in the validation part.
    """
    return _part(path, "validation")


def read_training(path: Path) -> Truth:
    """Read the lines whose ``split`` is ``train``.

    Raises:
        NoSuchFile, BadInput: missing columns, an image with two labels, or no line of this part.
    """
    return taken(_part(path, "train"), "the lines whose split is train")


def _part(path: Path, part: str) -> Truth:
    measured = part == "validation"
    header, lines = table_of(path)
    at = {name: column(header, (name,)) for name in (*NEEDED, *BOX, "category", "sequence")}
    missing = [name for name in NEEDED if at[name] is None]
    if missing:
        raise BadInput(f"{path} has no columns {', '.join(missing)}.", hint="OML's CSV has " + ", ".join(NEEDED) + ".")
    items = Labelled(path)
    queries, gallery, groups, sequences = [], [], [], []
    boxes: dict[int, Box] = {}
    for line, fields in lines:
        cell = {name: fields[place].strip() for name, place in at.items() if place is not None}
        if cell["split"] != part:
            continue
        position = items.add(line, cell["path"], [cell["label"]])
        if position is None:
            raise BadInput(
                f"line {line} of {path} names {cell['path']!r} a second time.",
                hint="Several objects of one image are not told apart: keep one line an image.",
            )
        if measured and _marked(path, line, cell["is_query"]):
            queries.append(position)
        if measured and _marked(path, line, cell["is_gallery"]):
            gallery.append(position)
        groups.append(cell.get("category", ""))
        sequences.append(cell.get("sequence", ""))
        if (box := _box(cell)) is not None:
            boxes[position] = box
    if not len(items):
        raise BadInput(f"{path} has no line whose split is {part!r}.", hint="OML calls the parts train and validation.")
    if measured and (not queries or not gallery):
        raise BadInput(
            f"the validation part of {path} has {len(queries)} queries and {len(gallery)} gallery images.",
            hint="Mark them with is_query and is_gallery; both for one against the rest.",
        )
    known = {value: code for code, value in enumerate(dict.fromkeys(value for value in sequences if value))}
    same = Same("sequence", np.array([known.get(value, -1) for value in sequences], np.int64), with_label=False)
    return Truth(
        path=path,
        format="oml",
        names=items.names(),
        labels=items.sets(),
        queries=np.array(queries, np.int64) if measured else None,
        base=np.array(gallery, np.int64) if measured else None,
        same=(same,) if known else (),
        groups=tuple(groups) if any(groups) else None,
        boxes=boxes,
        boxes_in_base=True,
        folders=(path.parent,),
    )


def _marked(path: Path, line: int, text: str) -> bool:
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    raise BadInput(f"line {line} of {path} marks an image with {text!r}.", hint="Write True or False.")


def _box(cell: dict[str, str]) -> Box | None:
    try:
        x0, y0, x1, y1 = (float(cell[name]) for name in BOX)
    except (KeyError, ValueError):
        return None
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


READER = Reader("oml", "OpenMetricLearning's CSV: label,path,split,is_query,is_gallery", looks, read, read_training)
