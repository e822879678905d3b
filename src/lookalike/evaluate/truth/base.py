"""What is known to belong together: one value for every format of ground truth.

Items are numbered by their place in ``names``; everything else speaks of these positions, so a truth of a million
items is a few arrays. ``joining.join`` finds the images of a collection that the names mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...errors import BadInput

__all__ = ["Box", "Ints", "LabelSets", "Overlap", "Pairs", "Reader", "Same", "Truth", "labels_differ"]

Ints = npt.NDArray[np.int64]
Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels of the image
Overlap = Literal["jaccard", "count", "any"]


@dataclass(frozen=True, slots=True, eq=False)
class LabelSets:
    """The labels of M items; an item without any is a distractor: in the base, never a query.

    Attributes:
        starts: int64 (M + 1,); the labels of item m are ``codes[starts[m]:starts[m + 1]]``.
        codes: int64, 0..L-1, ascending within an item.
        names: the L labels.
    """

    starts: Ints
    codes: Ints
    names: tuple[str, ...]

    @classmethod
    def of(cls, labels: Iterable[Sequence[str]]) -> LabelSets:
        """Build from the labels of each item; empty and repeated labels do not count."""
        known: dict[str, int] = {}
        flat: list[int] = []
        counts = [0]
        for some in labels:
            codes = sorted({known.setdefault(label, len(known)) for label in some if label})
            flat.extend(codes)
            counts.append(len(codes))
        return cls(np.cumsum(counts, dtype=np.int64), np.array(flat, np.int64), tuple(known))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> Ints:
        """int64 (M,): how many labels each item has."""
        return np.diff(self.starts)

    def of_item(self, item: int) -> tuple[str, ...]:
        """Return the labels of one item."""
        return tuple(self.names[code] for code in self.codes[self.starts[item] : self.starts[item + 1]])


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Which item is relevant to which query, said pair by pair: P of them.

    Attributes:
        query, item: int64 (P,), positions; no pair comes twice.
        grades: float32 (P,), how relevant, >= 0; 0 says that the pair was judged and is not relevant.
    """

    query: Ints
    item: Ints
    grades: npt.NDArray[np.float32]

    @classmethod
    def of(cls, found: Iterable[tuple[int, int, float]]) -> Pairs:
        """Build from (query, item, grade)."""
        table = list(found)
        return cls(
            np.array([query for query, _, _ in table], np.int64),
            np.array([item for _, item, _ in table], np.int64),
            np.array([grade for _, _, grade in table], np.float32),
        )

    def and_also(self, other: Pairs) -> Pairs:
        """Return the pairs of both."""
        return Pairs(
            np.concatenate([self.query, other.query]),
            np.concatenate([self.item, other.item]),
            np.concatenate([self.grades, other.grades]),
        )

    def __len__(self) -> int:
        return len(self.query)


@dataclass(frozen=True, slots=True, eq=False)
class Same:
    """A rule: an item that shares the query's value of a column is taken out of its ranking.

    Attributes:
        column: what it is, for messages: ``camera``, ``sequence``.
        codes: int64 (M,), the value of each item; -1 where it has none, which equals nothing.
        with_label: only items that share a label with the query as well (a person seen again by the same camera).
    """

    column: str
    codes: Ints
    with_label: bool


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Truth:
    """A ground truth as its files say it, before it is joined to images. M items; exactly one kind of relevance.

    Attributes:
        path: where it was read; for messages.
        format: the name of its format.
        names: M names of images, all different: ids, paths or ends of paths.
        labels: items that share a label are relevant to each other. With several labels an item, the grade is their
            ``overlap``: ``jaccard`` (shared labels over all labels of the two, in (0, 1]), ``count`` (shared labels),
            or ``any`` (1 as soon as one is shared).
        pairs: relevance said pair by pair.
        triplets: (T, 3), the comparisons that ``pairs`` were made of: the first is more like the second than the third.
        variants: several ways to count one truth: name -> (relevant pairs, junk pairs), as Revisited Oxford's easy,
            medium and hard; the first is the default's.
        queries: positions of the queries; None: every labelled item.
        base: positions of what is searched; None: the whole collection.
        junk: pairs whose item is taken out of the ranking of the query.
        same: rules that take items out of rankings.
        groups: (M,) the group of each item, within which N-way episodes draw their classes (an alphabet).
        boxes: position -> the part of the image that counts when it is a query.
        boxes_in_base: it counts alone when the image is searched, too.
        folders: where the images of queries that are not in the collection may lie.
        notes: what reading it left out, in sentences.
    """

    path: Path
    format: str
    names: tuple[str, ...]
    labels: LabelSets | None = None
    overlap: Overlap = "jaccard"
    pairs: Pairs | None = None
    triplets: Ints | None = None
    variants: Mapping[str, tuple[Pairs, Pairs]] = field(default_factory=dict)
    queries: Ints | None = None
    base: Ints | None = None
    junk: Pairs | None = None
    same: tuple[Same, ...] = ()
    groups: tuple[str, ...] | None = None
    boxes: Mapping[int, Box] = field(default_factory=dict)
    boxes_in_base: bool = False
    folders: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.names:
            raise BadInput(f"{self.path} names no image.", hint="Give one line an image, or one file.")
        if (self.labels is not None) + (self.pairs is not None) + bool(self.variants) != 1:
            raise BadInput(f"the truth of {self.path} needs labels, pairs or variants, and one of them only.")

    def __len__(self) -> int:
        return len(self.names)

    def text(self, position: int) -> str:
        """Return the labels of an item as one text, empty for a distractor."""
        return "" if self.labels is None else "|".join(self.labels.of_item(position))


@dataclass(frozen=True, slots=True)
class Reader:
    """One format of ground truth.

    Attributes:
        name: what ``--format`` calls it.
        about: the files, in one line.
        looks: whether a path looks like this format; never raises for a strange file.
        read: reads it.
        training: reads what may be trained on, where that is another part than what ``read`` gives; None: it is not.
    """

    name: str
    about: str
    looks: Callable[[Path], bool]
    read: Callable[[Path], Truth]
    training: Callable[[Path], Truth] | None = None


def labels_differ(path: Path, line: int, name: str, first: Sequence[str], second: Sequence[str]) -> BadInput:
    """Say that one image has two labels."""
    return BadInput(
        f"line {line} of {path} gives {name!r} the label {'|'.join(second)!r}, "
        f"an earlier one says {'|'.join(first)!r}.",
        hint="Keep one of them; several labels an image go into one cell of a column 'labels', as a|b.",
    )
