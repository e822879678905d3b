"""What is trained on: images, and what is known of them, as the formats of ``evaluate.truth`` say it."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Literal

import numpy as np

from ..errors import BadInput
from ..evaluate.truth import Truth, read_truth
from ..evaluate.truth.base import Ints, LabelSets, Pairs
from ..evaluate.truth.joining import match
from ..images import Item, Skipped, scan
from ..images.printable import printable

__all__ = ["Kind", "Samples", "lone_classes", "read_samples"]

_PARTS = {"train", "test", "val", "valid", "validation"}  # folders of the usual layout of a benchmark

Kind = Literal["classes", "label-sets", "pairs", "triplets", "none"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Samples:
    """M images and what is known of them.

    Attributes:
        names: M ids, all different.
        sources: (M,), where their bytes are.
        labels: the labels of each image; None where there are pairs, or nothing.
        pairs: which images belong together, which (grade 0) do not.
        triplets: (T, 3), positions: the first image is more like the second than the third. ``pairs`` says the same as
            far as pairs can.
        notes: what was left out, in sentences.
    """

    names: tuple[str, ...]
    sources: tuple[str, ...]
    labels: LabelSets | None = None
    pairs: Pairs | None = None
    triplets: Ints | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def kind(self) -> Kind:
        """Return which sort of labels there is."""
        if self.pairs is not None:
            return "pairs" if self.triplets is None else "triplets"
        if self.labels is None:
            return "none"
        return "classes" if (self.labels.sizes == 1).all() else "label-sets"

    @property
    def classes(self) -> Ints:
        """Return (M,) the class of each image, of ``classes``."""
        if self.labels is None or self.kind != "classes":
            raise BadInput(f"images with {self.kind} have no single class.")
        return self.labels.codes

    def part(self, at: Sequence[int] | Ints) -> Samples:
        """Return some of the images, in the given order; labels that none of them has are forgotten."""
        places = np.asarray(at, np.int64)
        labels = None if self.labels is None else LabelSets.of(self.labels.of_item(int(place)) for place in places)
        pairs = triplets = None
        new = np.full(len(self), -1, np.int64)
        new[places] = np.arange(len(places))
        if self.triplets is not None:
            triplets = new[self.triplets]
            triplets = triplets[(triplets >= 0).all(axis=1)]
        if self.pairs is not None:
            first, second = new[self.pairs.query], new[self.pairs.item]
            kept = (first >= 0) & (second >= 0)
            pairs = Pairs(first[kept], second[kept], self.pairs.grades[kept])
        return Samples(
            names=tuple(self.names[at] for at in places),
            sources=tuple(self.sources[at] for at in places),
            labels=labels,
            pairs=pairs,
            triplets=triplets,
        )

    def truth(self, path: Path = Path("training labels")) -> Truth:
        """Return the same as ground truth, for evaluation."""
        if self.kind == "none":
            raise BadInput("images without labels are no ground truth.")
        return Truth(path=path, format="training", names=self.names, labels=self.labels, pairs=self.pairs)

    @property
    def digest(self) -> str:
        """Return the sha256 of names and labels, whatever their order: what the model's card says of its data."""
        lines = []
        for at, name in enumerate(self.names):
            labels = "" if self.labels is None else "|".join(sorted(self.labels.of_item(at)))
            lines.append(f"{name}\t{labels}")
        if self.pairs is not None:
            lines += [
                f"{self.names[a]}\t{self.names[b]}\t{grade:g}"
                for a, b, grade in zip(self.pairs.query, self.pairs.item, self.pairs.grades, strict=True)
            ]
        if self.triplets is not None:
            lines += ["\t".join(self.names[at] for at in triplet) for triplet in self.triplets]
        return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


def read_samples(
    images: Iterable[str | Path],
    labels: str | Path | None = None,
    *,
    format: str | None = None,
    label: str | None = None,
    unlabelled: bool = False,
    training: bool = True,
) -> Samples:
    """Read which images there are and what is known of them.

    Args:
        images: folders, files, archives or lists, as ``lookalike index`` takes them.
        labels: a truth file or folder (``evaluate.truth``); None takes the folder of each image for its class.
        format, label: as ``read_truth`` takes them.
        unlabelled: train without labels.
        training: False reads the part of a benchmark that is measured on.

    Raises:
        NoSuchFile: nothing there.
        BadInput: no image, no label joins one, or images without labels where none were said to be.
    """
    items: dict[str, Item] = {}
    skipped = 0
    places = [str(each) for each in images]
    for place in places:
        for entry in scan(place):
            if isinstance(entry, Skipped):
                skipped += 1
            else:
                items.setdefault(entry.id if len(places) == 1 else f"{Path(place).name}/{entry.id}", entry)
    if not items:
        raise BadInput(f"there are no images in {', '.join(places)}.", hint="Name a folder, an archive or a list.")
    notes = [f"{skipped} entries are no images that can be read"] if skipped else []
    if unlabelled:
        return Samples(names=tuple(items), sources=_sources(items.values()), notes=tuple(notes))
    if labels is None:
        return _by_folder(items, places, notes)
    truth = read_truth(labels, format=format, label=label, training=training)
    return _by_truth(truth, items, notes)


def _sources(items: Iterable[Item]) -> tuple[str, ...]:
    return tuple(item.source for item in items)


def _by_folder(items: dict[str, Item], places: Sequence[str], notes: list[str]) -> Samples:
    named = {name: name.rpartition("/")[0] for name in items}
    if len(set(named.values())) < 2:
        raise BadInput(
            f"the images of {', '.join(places)} have no labels: they do not lie in a folder for each class.",
            hint="Name the labels (--labels FILE), or say that there are none (--unlabelled).",
        )
    tops = {folder.partition("/")[0] for folder in named.values() if folder}
    if "train" in tops and len(tops) > 1 and tops <= _PARTS:
        others = ", ".join(sorted(tops - {"train"}))
        raise BadInput(
            f"the folders of {', '.join(places)} are parts, train and {others}, not classes.",
            hint="Train on the folder train alone, and measure on another with --test-on.",
        )
    labelled = [name for name, folder in named.items() if folder]
    if len(labelled) < len(items):
        notes.append(f"{len(items) - len(labelled)} images lie in no folder of a class and are left out")
    labels = LabelSets.of([named[name]] for name in labelled)
    if empty := _empty_folders(items, places):
        some = ", ".join(map(printable, empty[:3]))
        notes.append(f"{len(empty)} folders hold no image and are no class: {some}")
    return Samples(
        names=tuple(labelled),
        sources=_sources(items[name] for name in labelled),
        labels=labels,
        notes=tuple(notes),
    )


def _empty_folders(items: dict[str, Item], places: Sequence[str]) -> list[str]:
    """Return the folders in which no image lies, near or far; of folders on this machine."""
    used = {str(above) for item in items.values() for above in PurePath(item.source).parents}
    found: list[str] = []
    for place in places:
        top = Path(place).expanduser().absolute()
        if str(top) not in used:
            continue  # an archive or a list, or nothing in it is an image
        for where, below, _ in os.walk(top):
            below[:] = [name for name in below if not name.startswith(".")]
            if where not in used:
                found.append(str(Path(where).relative_to(top)))
    return sorted(found)


def _by_truth(truth: Truth, items: dict[str, Item], notes: list[str]) -> Samples:
    notes = [*notes, *truth.notes]  # which part of a benchmark was read, lines that come twice
    found, ambiguous = match(truth.names, items.values())
    missing = [name for at, name in enumerate(truth.names) if at not in found]
    if not found:
        raise BadInput(
            f"no line of {truth.path} names one of the images; its first name is {truth.names[0]!r}.",
            hint="Names join by the path below --images, or by its end.",
        )
    if missing:
        some = ", ".join(repr(name) for name in missing[:3])
        several = f" ({ambiguous} of them fit several)" if ambiguous else ""
        notes.append(f"{len(missing)} names of {truth.path} are no image there{several}: {some}")
    if truth.variants:
        raise BadInput(f"{truth.path} is a benchmark's truth with junk lists, not labels to train on.")
    whole = Samples(
        names=truth.names,
        sources=tuple(found[at].source if at in found else "" for at in range(len(truth))),
        labels=truth.labels,
        pairs=truth.pairs,
        triplets=truth.triplets,
    )
    kept = [at for at in range(len(truth)) if at in found and (truth.labels is None or truth.labels.sizes[at])]
    if truth.labels is not None and len(kept) < len(found):
        notes.append(f"{len(found) - len(kept)} images have no label and are left out")
    part = whole.part(kept)
    if part.triplets is not None and truth.triplets is not None and not len(part.triplets):
        raise BadInput(
            f"none of the {len(truth.triplets)} triplets of {truth.path} has all of its three images there.",
            hint="Names join by the path below --images, or by its end.",
        )
    if part.pairs is not None and not len(part.pairs):
        raise BadInput(
            f"no line of {truth.path} joins two of the images: those that it names are not all there.",
            hint="Names join by the path below --images, or by its end.",
        )
    return replace(part, notes=tuple(notes))


def lone_classes(samples: Samples) -> list[str]:
    """Return the names of the classes with a single image: nothing to be alike to."""
    if samples.labels is None:
        return []
    counts = Counter(samples.labels.codes.tolist())
    return [name for code, name in enumerate(samples.labels.names) if counts[code] == 1]
