"""What readers fill: names get positions as they come, and what contradicts itself is refused with its line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import BadInput
from .base import LabelSets, Pairs, Truth, labels_differ

__all__ = ["Labelled", "Names", "PairList", "base_alone", "repeated", "taken"]

_NAMED = 3


def base_alone(read: Callable[[Path], Truth]) -> Callable[[Path], Truth]:
    """Return what reads the base without the queries, of a format in which test images search training images."""

    def read_base(path: Path) -> Truth:
        whole = read(path)
        if whole.base is None or whole.labels is None:
            return whole
        places = whole.base.tolist()
        alone = Truth(
            path=whole.path,
            format=whole.format,
            names=tuple(whole.names[place] for place in places),
            labels=LabelSets.of(whole.labels.of_item(place) for place in places),
            folders=whole.folders,
            notes=whole.notes,
        )
        return taken(alone, "its training images")

    return read_base


def taken(truth: Truth, what: str) -> Truth:
    """Return the truth with a sentence that says which part of its files is trained on."""
    return replace(truth, notes=(f"Of {truth.path} the training takes {what}.", *truth.notes))


class Names:
    """Names and their positions."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._known)

    def position(self, name: str) -> int:
        """Return the position of a name; a new one gets the next."""
        return self._known.setdefault(name, len(self._known))

    def all(self) -> tuple[str, ...]:
        """Return the names by position."""
        return tuple(self._known)


class Labelled:
    """Items with their labels, one line after another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._labels: dict[str, tuple[str, ...]] = {}
        self._again: list[int] = []

    def __len__(self) -> int:
        return len(self._labels)

    def add(self, line: int, name: str, labels: Sequence[str]) -> int | None:
        """Take one item and return its position; None for a line that repeats an earlier one.

        Raises:
            BadInput: no name, or a name with other labels than before.
        """
        if not name:
            raise BadInput(f"line {line} of {self._path} names no image.")
        some = tuple(label for label in labels if label)
        before = self._labels.get(name)
        if before is None:
            self._labels[name] = some
            return len(self._labels) - 1
        if set(before) != set(some):
            raise labels_differ(self._path, line, name, before, some)
        self._again.append(line)
        return None

    def names(self) -> tuple[str, ...]:
        """Return the names by position."""
        return tuple(self._labels)

    def sets(self) -> LabelSets:
        """Return the labels by position."""
        return LabelSets.of(self._labels.values())

    def notes(self) -> tuple[str, ...]:
        """Return a sentence about lines that repeat earlier ones, if there are any."""
        return repeated(self._path, self._again)


class PairList:
    """Judged pairs, one line after another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._grades: dict[tuple[int, int], float] = {}
        self._again: list[int] = []

    def __len__(self) -> int:
        return len(self._grades)

    def add(self, line: int, query: int, item: int, grade: float, *, said: str) -> None:
        """Take one pair; ``said`` names it in messages. A line that repeats an earlier one says nothing new.

        Raises:
            BadInput: the pair has another grade already.
        """
        before = self._grades.get((query, item))
        if before is None:
            self._grades[query, item] = grade
        elif before == grade:
            self._again.append(line)
        else:
            raise BadInput(
                f"line {line} of {self._path} gives {said} the grade {grade:g}, an earlier one says {before:g}.",
                hint="Keep one of them.",
            )

    def pairs(self) -> Pairs:
        """Return all of them."""
        return Pairs.of((query, item, grade) for (query, item), grade in self._grades.items())

    def notes(self) -> tuple[str, ...]:
        """Return a sentence about lines that repeat earlier ones, if there are any."""
        return repeated(self._path, self._again)


def repeated(path: Path, lines: Sequence[int]) -> tuple[str, ...]:
    """Return a sentence about lines that repeat earlier ones, if there are any."""
    if not lines:
        return ()
    if len(lines) == 1:
        return (f"Line {lines[0]} of {path} repeats an earlier one and counts once: remove or correct it.",)
    first = ", ".join(map(str, lines[:_NAMED])) + (", ..." if len(lines) > _NAMED else "")
    return (f"{len(lines)} lines of {path} repeat earlier ones ({first}) and count once: remove or correct them.",)
