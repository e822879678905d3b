"""Text files line by line, with errors that name the file and the line."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import BadInput, NoSuchFile

__all__ = ["column", "first_line", "grade_of", "line_of_each", "lines_of", "table_of", "whole_number"]

Fields = tuple[int, list[str]]  # line number, from 1, and its fields


def lines_of(path: Path, *, separator: str | None = ",") -> Iterator[Fields]:
    """Yield (line number, fields) of each line that is not empty.

    Args:
        path: a UTF-8 file.
        separator: between fields, quoted as in CSV; None: any run of spaces, without quotes.

    Raises:
        NoSuchFile: there is no such file. BadInput: it is no UTF-8 text, or a folder.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            if separator is None:
                for number, line in enumerate(lines, start=1):
                    if fields := line.split():
                        yield number, fields
                return
            reader = csv.reader(lines, delimiter=separator)
            for fields in reader:
                if any(field.strip() for field in fields):
                    yield reader.line_num, fields
    except FileNotFoundError:
        raise NoSuchFile(f"no such truth file: {path}.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read as text: {error}.", hint="Write it in UTF-8.") from error


def table_of(path: Path, *, separator: str = ",") -> tuple[list[str], Iterator[Fields]]:
    """Return the header, in lower case, and the lines after it; each is checked to have as many fields."""
    lines = lines_of(path, separator=separator)
    _, names = next(lines, (0, []))
    header = [name.strip().lower() for name in names]

    def rest() -> Iterator[Fields]:
        for number, fields in lines:
            if len(fields) < len(header):
                raise BadInput(
                    f"line {number} of {path} has {len(fields)} of the {len(header)} fields that its header names.",
                    hint="Quote a name that holds the separator.",
                )
            yield number, fields

    return header, rest()


def first_line(path: Path, *, separator: str = ",") -> list[str]:
    """Return the fields of the first line in lower case; empty when it is no text file."""
    try:
        return table_of(path, separator=separator)[0]
    except (BadInput, ValueError):
        return []


def line_of_each(path: Path, names: Sequence[str], *, leading: bool = False) -> dict[str, int]:
    """Return the number of the first line that has each of a few names as a field; nothing for what is no text file.

    ``leading``: as its first field, as queries are.
    """
    wanted, found = set(names), dict[str, int]()
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for number, line in enumerate(lines, start=1):
                if len(found) == len(wanted):
                    break
                if any(name in line for name in wanted):
                    ways = (next(csv.reader([line])), line.split("\t"), line.split())
                    fields = {field.strip() for way in ways for field in (way[:1] if leading else way)}
                    for name in (wanted & fields) - found.keys():
                        found[name] = number
    except (OSError, ValueError, csv.Error):
        pass  # a folder, a pickle: there are no lines to name
    return found


def column(header: Sequence[str], names: Sequence[str]) -> int | None:
    """Return the place of the first of some names that the header has."""
    return next((header.index(name) for name in names if name in header), None)


def grade_of(path: Path, line: int, text: str) -> float:
    """Return a grade: a finite number, not negative."""
    try:
        grade = float(text)
    except ValueError:
        grade = math.nan
    if not math.isfinite(grade) or grade < 0:
        raise BadInput(
            f"line {line} of {path} has the grade {text!r}.",
            hint="A grade is a number from 0 (not relevant) up, such as 1.",
        )
    return grade


def whole_number(path: Path, line: int, text: str, what: str) -> int:
    """Return a whole number."""
    try:
        return int(text)
    except ValueError:
        raise BadInput(f"line {line} of {path} has {text!r} as {what}, where a whole number belongs.") from None
