"""Which images of a collection a truth means.

A name joins the image whose id it is; else the one image whose path ends with it (``cats/1.jpg`` joins
``/photos/cats/1.jpg``) or whose id ends it; else, for names without a suffix as many benchmarks write them, the one
image whose path without its suffix does. A name that fits several images joins none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol, TypeVar

import numpy as np

from ...errors import BadInput
from ...types import Record, Vectors, VectorSpace
from .base import Ints, Truth

__all__ = ["Joined", "Located", "Outside", "Parts", "join", "match"]


class Located(Protocol):
    """An image with a name: a stored record, or an item of a source."""

    @property
    def id(self) -> str:
        """Return its id."""
        ...

    @property
    def source(self) -> str:
        """Return where its bytes are."""
        ...


L = TypeVar("L", bound=Located)


@dataclass(frozen=True, slots=True, eq=False)
class Outside:
    """Query images that are not in the collection.

    Attributes:
        vectors: float32 (E, D), in the collection's space.
        sources: (E,), where the images are.
        place: position in the truth -> index into both.
    """

    vectors: Vectors
    sources: tuple[str, ...]
    place: Mapping[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Vectors of parts of images, which the truth's boxes name.

    Attributes:
        space: what they mean; the collection's.
        vectors: (B, D).
        place: position in the truth -> index into them.
    """

    space: VectorSpace
    vectors: Vectors
    place: Mapping[int, int]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Joined:
    """A truth whose names are images of a collection.

    Attributes:
        truth: what was joined.
        rows: int64 (M,), the row of each item; -1 for an item that is not in the collection.
        ids, sources: (M,), of the records; the name itself and an empty source for items that are not there.
        unmatched: the names that joined no image, or more than one.
        ambiguous: how many of them fit several images.
        all_rows: int64, the rows of all images of the collection, ascending.
        outside: query images that are not in the collection.
        asked: positions of the queries, where they are chosen otherwise than the truth does; None: the truth's.
        parts: of images that count by a part of them, in place of the whole.
        notes: what was done to get here, in sentences.
    """

    truth: Truth
    rows: Ints
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    all_rows: Ints
    unmatched: tuple[str, ...] = ()
    ambiguous: int = 0
    outside: Outside | None = None
    asked: Ints | None = None
    parts: Parts | None = None
    notes: tuple[str, ...] = ()
    by_id: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def queries(self) -> Ints | None:
        """Return the positions of the queries that have an image; None where every labelled image is a query."""
        asked = self.truth.queries if self.asked is None else self.asked
        if asked is None:
            return None
        there = self.rows[asked] >= 0
        if self.outside is not None:
            there |= np.isin(asked, list(self.outside.place))
        return asked[there]

    @property
    def absent(self) -> int:
        """Return how many queries have no image, neither in the collection nor outside."""
        asked = self.truth.queries if self.asked is None else self.asked
        return 0 if asked is None or self.queries is None else len(asked) - len(self.queries)

    def position(self, id: str) -> int | None:
        """Return the position of the item that a record is, or None."""
        return self.by_id.get(id)

    def position_of_path(self, path: str) -> int | None:
        """Return the position of the one item whose name ends a path, or None."""
        posix = _posix(path)
        found = [at for at, name in enumerate(self.truth.names) if posix == name or posix.endswith(f"/{name}")]
        return found[0] if len(found) == 1 else None


def join(truth: Truth, records: Iterable[Record]) -> Joined:
    """Join by id, else by the unique end of a path.

    Args:
        truth: what was read.
        records: the images of the collection.

    Raises:
        BadInput: no name joins an image; or two names with different labels are one image.
    """
    all_rows: list[int] = []
    found, ambiguous = match(truth.names, _noting(records, all_rows))
    if not found:
        raise BadInput(
            f"no line of {truth.path} names an image of the collection; its first name is {truth.names[0]!r}.",
            hint="Names join by id (`lookalike info --ids`) or by the end of the path.",
        )
    rows = np.full(len(truth), -1, np.int64)
    ids, sources = list(truth.names), [""] * len(truth)
    by_id: dict[str, int] = {}
    for position, record in found.items():
        first = by_id.setdefault(record.id, position)
        if first != position:
            _check_twins(truth, first, position, record.id)
            if truth.labels is not None:
                continue  # the first name speaks for the image
        rows[position], ids[position], sources[position] = record.row, record.id, record.source
    unmatched = tuple(name for at, name in enumerate(truth.names) if at not in found)
    return Joined(
        truth=truth,
        rows=rows,
        ids=tuple(ids),
        sources=tuple(sources),
        all_rows=np.sort(np.array(all_rows, np.int64)),
        unmatched=unmatched,
        ambiguous=ambiguous,
        by_id=by_id,
    )


def _noting(records: Iterable[Record], rows: list[int]) -> Iterator[Record]:
    for record in records:
        rows.append(record.row)
        yield record


def match(names: Sequence[str], images: Iterable[L]) -> tuple[dict[int, L], int]:
    """Return position -> image of the names that one image fits, by position, and how many fit several."""
    position = {name: at for at, name in enumerate(names)}
    wanted = {end for name in names for end in _ends(name)}
    by_id: dict[int, L] = {}
    by_end: dict[str, list[L]] = defaultdict(list)
    for image in images:
        if (at := position.get(image.id)) is not None:
            by_id[at] = image
        paths = (image.id, _path(image))
        for end in {end for path in paths for form in (path, _stem(path)) for end in _ends(form)} & wanted:
            by_end[end].append(image)
    found: dict[int, L] = {}
    ambiguous = 0
    for at, name in enumerate(names):
        if at in by_id:
            found[at] = by_id[at]
            continue
        # The last two parts of a path first: files called 1.jpg in ten thousand folders are not all compared.
        fitting = next((some for end in _ends(name) if (some := _fitting(name, by_end.get(end, ())))), [])
        if len(fitting) == 1:
            found[at] = fitting[0]
        ambiguous += len(fitting) > 1
    return found, ambiguous


def _fitting(name: str, images: Sequence[L]) -> list[L]:
    """Return the images that a name fits: with the suffix of their file if any does so, else without."""
    wanted = _posix(name).lstrip("/")
    whole = [image for image in images if _fits(wanted, image.id, _path(image))]
    return whole or [image for image in images if _fits(wanted, _stem(image.id), _stem(_path(image)))]


def _fits(name: str, id: str, path: str) -> bool:
    return path.endswith(f"/{name}") or id == name or f"/{name}".endswith(f"/{id}")


def _ends(name: str) -> tuple[str, ...]:
    """Return the last two parts of a path, and the last one."""
    parts = _posix(name).rsplit("/", 2)
    return ("/".join(parts[-2:]), parts[-1]) if len(parts) > 1 else (parts[-1],)


def _path(image: Located) -> str:
    return _posix(image.source.replace("!/", "/"))


def _check_twins(truth: Truth, first: int, second: int, id: str) -> None:
    if truth.labels is not None and truth.labels.of_item(first) != truth.labels.of_item(second):
        raise BadInput(
            f"{truth.path} names the image {id!r} twice, as {truth.names[first]!r} with the label "
            f"{truth.text(first)!r} and as {truth.names[second]!r} with {truth.text(second)!r}.",
            hint="Keep one of them.",
        )


def _posix(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _stem(path: str) -> str:
    """Return a path without the suffix of its last part."""
    suffix = PurePosixPath(path).suffix
    return path.removesuffix(suffix) if suffix else path
