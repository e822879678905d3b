"""Ground truth of the simplest kind: a label for each image; images of one label belong together."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ..errors import BadInput, NoSuchFile
from ..types import Record

__all__ = ["Labels", "Truth", "read_labels"]

NAME_COLUMNS = ("file", "path", "image", "filename", "id")
LABEL_COLUMNS = ("label", "class", "category")


@dataclass(frozen=True, slots=True)
class Truth:
    """Labels joined to the images of a collection.

    Attributes:
        rows: row id -> label; an empty label marks a distractor, which is in the base and never a query.
        ids: record id -> label.
        by_name: the name in the truth file -> label.
        unmatched: names of the truth file that joined no image, or more than one.
    """

    rows: Mapping[int, str]
    ids: Mapping[str, str]
    by_name: Mapping[str, str]
    unmatched: tuple[str, ...] = ()

    def label(self, id: str) -> str | None:
        """Return the label of a record, or None; a distractor has none."""
        return self.ids.get(id) or None

    def label_of_path(self, path: str) -> str | None:
        """Return the label that the file gives a path which is not in the collection, or None."""
        posix = PurePath(path).as_posix()
        found = {label for name, label in self.by_name.items() if posix == name or posix.endswith(f"/{name}")}
        return found.pop() or None if len(found) == 1 else None

    def members(self, label: str) -> list[str]:
        """Return the ids that have the label, by row."""
        return [id for id, other in self.ids.items() if other == label]


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a truth file, before they are joined: name -> label, in the file's order."""

    path: Path
    by_name: Mapping[str, str] = field(default_factory=dict)

    def join(self, records: Iterable[Record]) -> Truth:
        """Join by id, else by a path suffix that only one image has.

        Raises:
            BadInput: nothing in the file joins the collection.
        """
        wanted = {PurePath(name).name for name in self.by_name}
        by_id: dict[str, Record] = {}
        by_last: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            if record.id in self.by_name:
                by_id[record.id] = record
            last = PurePath(record.id).name
            if last in wanted:
                by_last[last].append(record)
        rows: dict[int, str] = {}
        ids: dict[str, str] = {}
        unmatched = []
        for name, label in self.by_name.items():
            joined = by_id.get(name) or _by_suffix(name, by_last)
            if joined is None:
                unmatched.append(name)
                continue
            rows[joined.row] = label
            ids[joined.id] = label
        if not rows:
            raise BadInput(
                f"no line of {self.path} names an image of the collection; its first name is "
                f"{next(iter(self.by_name))!r}.",
                hint="Names join by id (`lookalike info --ids`) or by the end of the path.",
            )
        return Truth(rows, ids, self.by_name, tuple(unmatched))


def _by_suffix(name: str, by_last: Mapping[str, list[Record]]) -> Record | None:
    """Return the one record whose id or path ends with the name, or whose id is the end of the name."""
    posix = PurePath(name).as_posix().lstrip("/")
    found = []
    for record in by_last.get(PurePath(name).name, []):
        source = record.source.replace("!/", "/").replace("\\", "/")
        if source.endswith(f"/{posix}") or f"/{posix}".endswith(f"/{record.id}"):
            found.append(record)
    return found[0] if len(found) == 1 else None


def read_labels(path: Path) -> Labels:
    """Read a CSV with the columns ``file`` and ``label`` (other usual names of the two are understood).

    Raises:
        NoSuchFile: there is no such file.
        BadInput: no such columns, a line with too few fields, a name with two labels, or no line at all.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return _read(path, csv.reader(lines))
    except FileNotFoundError:
        raise NoSuchFile(f"no such truth file: {path}.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read as CSV: {error}.", hint="Write it in UTF-8: file,label") from error


def _read(path: Path, reader: Iterable[list[str]]) -> Labels:
    iterator = iter(reader)
    header = [name.strip().lower() for name in next(iterator, [])]
    name_at = next((header.index(name) for name in NAME_COLUMNS if name in header), None)
    label_at = next((header.index(name) for name in LABEL_COLUMNS if name in header), None)
    if name_at is None or label_at is None:
        raise BadInput(
            f"{path} has no columns 'file' and 'label'; its first line is {','.join(header)!r}.",
            hint="Give the file a header line: file,label",
        )
    labels: dict[str, str] = {}
    for number, fields in enumerate(iterator, start=2):
        if not fields:
            continue
        if len(fields) <= max(name_at, label_at):
            raise BadInput(
                f"line {number} of {path} has {len(fields)} fields, {max(name_at, label_at) + 1} are needed."
            )
        name, label = fields[name_at], fields[label_at].strip()
        if labels.setdefault(name, label) != label:
            raise BadInput(
                f"line {number} of {path} gives {name!r} the label {label!r}, an earlier one says {labels[name]!r}.",
                hint="Keep one of them; for several labels an image use a multi-label truth file.",
            )
    if not labels:
        raise BadInput(f"{path} has no lines after its header.", hint="Give one line an image: file,label")
    return Labels(path, labels)
