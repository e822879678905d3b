"""A CSV with a line an image: ``file,label``, or ``file,labels`` with several labels in a cell as ``cat|dog``.

Other usual names of the two columns are understood. An empty label marks a distractor.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import BadInput
from .base import Reader, Truth
from .building import Labelled
from .tables import column, first_line, table_of

__all__ = ["LABEL_COLUMNS", "NAME_COLUMNS", "READER", "read"]

NAME_COLUMNS = ("file", "path", "image", "filename", "image_path", "filepath", "id", "image_id", "name")
LABEL_COLUMNS = ("label", "class", "category", "landmark_id", "class_id", "label_id")
SEVERAL = ("labels", "classes", "tags")


def looks(path: Path) -> bool:
    """Whether the header names an image and its label."""
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        return False
    header = first_line(path, separator=_separator(path))
    return column(header, NAME_COLUMNS) is not None and column(header, (*LABEL_COLUMNS, *SEVERAL)) is not None


def read(path: Path, *, label: str | None = None) -> Truth:
    """Read it.

    Args:
        path: the file.
        label: the column of the labels, where it has another name.

    Raises:
        NoSuchFile, BadInput: no such columns, a line with too few fields, a name with two labels, or no line at all.
    """
    header, lines = table_of(path, separator=_separator(path))
    name_at = column(header, NAME_COLUMNS)
    label_at = column(header, LABEL_COLUMNS if label is None else (label.lower(),))
    several_at = column(header, SEVERAL)
    at = label_at if label_at is not None or label is not None else several_at
    if name_at is None or at is None:
        raise BadInput(
            f"{path} has no columns 'file' and {label or 'label'!r}; its first line is {','.join(header)!r}.",
            hint="Give the file a header line file,label, or name the column of the labels (--label).",
        )
    items = Labelled(path)
    for line, fields in lines:
        labels = fields[at].split("|") if at == several_at else [fields[at]]
        items.add(line, fields[name_at], [label.strip() for label in labels])
    if not len(items):
        raise BadInput(f"{path} has no lines after its header.", hint="Give one line an image: file,label")
    return Truth(
        path=path,
        format="labels",
        names=items.names(),
        labels=items.sets(),
        folders=(path.parent,),
        notes=items.notes(),
    )


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


READER = Reader("labels", "CSV with the columns file,label (or file,labels with a|b)", looks, read)
