"""What a benchmark is: where its images lie, what is known of them, and who searches what."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ...errors import BadInput, NoSuchFile
from ...types import Image
from ..truth.base import LabelSets, Overlap, Truth

__all__ = ["Benchmark", "Material", "Part", "Run", "held_out", "labelled", "place", "without_skin_tone"]

Part = Literal["held-out", "all"]

_SKIN_TONES = re.compile(r"[-_]?1f3f[b-f]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Run:
    """One table of figures: a truth, searched under one protocol.

    Attributes:
        name: what tells it from the benchmark's other runs; empty for the only one.
        truth: names of images, and what belongs together.
        protocol: a name as ``run_protocol`` takes it.
        metrics: the keys that the literature quotes, the leading one first.
        cut: how many results are judged; None ranks everything.
        classes: name of an image -> what intervals draw, where that is not its label (an alphabet of characters).
        notes: what a reader of the figures has to know.
    """

    name: str = ""
    truth: Truth
    protocol: str
    metrics: tuple[str, ...]
    cut: int | None = None
    classes: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Material:
    """A benchmark as it lies on somebody's disk.

    Attributes:
        sources: folders and archives with the images; the names of the truths join what is in them.
        runs: what is measured, the leading run first.
        pixels: reads images that lie in no file of their own: name -> (H, W) or (H, W, 3) uint8.
        part: which classes are searched, in words; empty where the benchmark has no held-out classes.
        copies: copies are what is looked for, so the leak check has nothing to say.
    """

    sources: tuple[Path, ...]
    runs: tuple[Run, ...]
    pixels: Callable[[], Mapping[str, Image]] | None = None
    part: str = ""
    copies: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all images that some run needs."""
        return tuple(dict.fromkeys(name for run in self.runs for name in run.truth.names))


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One line of the table.

    Attributes:
        name: what ``--benchmark`` calls it.
        about: what is measured, in one line.
        layout: the files that are looked for.
        source: the paper or repository.
        folders: names that its folder may have below the folder given.
        read: reads it; the second argument is which classes.
        splits: some of its classes are held out.
    """

    name: str
    about: str
    layout: str
    source: str
    folders: tuple[str, ...]
    read: Callable[[Path, Part], Material]
    splits: bool = False


def held_out(name: str) -> bool:
    """Whether training and tuning must never have seen a class: one in five, by the hash of its name."""
    return int(hashlib.sha1(name.encode()).hexdigest(), 16) % 5 == 0


def without_skin_tone(codepoint: str) -> str:
    """Return the class of an emoji: ``1f44b-1f3fb`` is ``1f44b``."""
    return _SKIN_TONES.sub("", codepoint)


def place(data: Path, *names: str) -> Path:
    """Return the first of some files in a folder.

    Raises:
        NoSuchFile: none is there.
    """
    for name in names:
        if (data / name).exists():
            return data / name
    raise NoSuchFile(
        f"{data} holds no {' or '.join(names)}.",
        hint="Name the folder with the benchmark's own files; `lookalike evaluate --benchmark list` says which.",
    )


def labelled(
    path: Path, items: Sequence[tuple[str, Sequence[str]]], *, format: str, overlap: Overlap = "jaccard"
) -> Truth:
    """Return the truth of (name, labels) in which nothing but these items is searched.

    Raises:
        BadInput: none of them has a label.
    """
    if not any(labels for _, labels in items):
        raise BadInput(f"{path} has no image of the classes that are asked for.", hint="Give --all for all classes.")
    return Truth(
        path=path,
        format=format,
        names=tuple(name for name, _ in items),
        labels=LabelSets.of(labels for _, labels in items),
        overlap=overlap,
        base=np.arange(len(items), dtype=np.int64),
    )
