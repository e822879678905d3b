"""All sets in one base, for one embedder without a setting for any of them: emoji beside groceries beside handwriting.

The question and the figure (mP@5) are those of the Google Universal Image Embedding challenge, ECCV 2022, which also
asks for 64 dimensions. A class belongs to its set: the letter A of an alphabet is not the emoji of that letter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import NoSuchFile
from ...types import Image
from ..truth.base import Truth
from . import coco, grocery, idx_images, omniglot, one_column
from .base import Benchmark, Material, Part, Run, held_out, labelled

__all__ = ["BENCHMARKS", "SETS", "set_of", "training"]

METRICS = ("mp5", "map", "hit_rate@1")
MOST = 100  # images of one class: a thousand coats would outweigh everything else
_FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


@dataclass(frozen=True, slots=True)
class _Item:
    """One image: its set, its name there, its classes, and the class by which it is held out; "" for a distractor."""

    set: str
    name: str
    labels: tuple[str, ...]
    unit: str
    tests: bool = True  # False: of a published training part, never searched here


def _plain(truth: Truth, name: str) -> Iterator[_Item]:
    for at, file in enumerate(truth.names):
        label = truth.text(at)
        yield _Item(name, file, (label,) if label else (), label)


def _drawings(truth: Truth, name: str) -> Iterator[_Item]:
    for at, (file, alphabet) in enumerate(zip(truth.names, truth.groups or (), strict=True)):
        yield _Item(name, file, (truth.text(at),), alphabet)


def _clothes(truth: Truth, name: str) -> Iterator[_Item]:
    for at, file in enumerate(truth.names):
        label = _FASHION[int(truth.text(at))]
        yield _Item(name, file, (label,), label, tests=not file.startswith("train"))


def _scenes_of_life(truth: Truth, name: str) -> Iterator[_Item]:
    if truth.labels is None:
        return
    for at, file in enumerate(truth.names):
        yield _Item(name, file, truth.labels.of_item(at), "")


_Items = Callable[[Truth, str], Iterator[_Item]]
_ONE_COLUMN: Mapping[str, Benchmark] = {each.name: each for each in one_column.BENCHMARKS}
_FAMILIES: tuple[tuple[Benchmark, _Items], ...] = (
    (_ONE_COLUMN["emoji"], _plain),
    (_ONE_COLUMN["logos"], _plain),
    (_ONE_COLUMN["scenes"], _plain),
    (grocery.BENCHMARKS[0], _plain),
    (coco.BENCHMARKS[0], _scenes_of_life),
    (idx_images.BENCHMARKS[0], _clothes),
    (omniglot.BENCHMARKS[0], _drawings),
    (_ONE_COLUMN["photos"], _plain),
)
SETS = tuple(each.name for each, _ in _FAMILIES)


def read(data: Path, part: Part) -> Material:
    """Read the sets that lie below a folder, each in the folder of its name."""
    materials, items = _read(data)
    chosen = [each for each in items if each.tests and (part == "all" or not each.unit or held_out(each.unit))]
    return _material(data, materials, _capped(chosen), part=part)


def training(data: Path) -> Material:
    """Read what an embedder may learn from: the classes that are not held out; nothing of coco, which has no split."""
    materials, items = _read(data)
    chosen = [each for each in items if each.unit and not held_out(each.unit)]
    return _material(data, materials, _capped(chosen), part="training")


def set_of(label: str) -> str:
    """Return the set that a class of this benchmark is of."""
    return label.partition(":")[0]


def _read(data: Path) -> tuple[list[Material], list[_Item]]:
    materials: list[Material] = []
    items: list[_Item] = []
    for family, items_of in _FAMILIES:
        folder = next((data / each for each in (*family.folders, family.name) if (data / each).is_dir()), None)
        if folder is not None:
            materials.append(family.read(folder, "all"))
            items += items_of(materials[-1].runs[0].truth, family.name)
    if not materials:
        raise NoSuchFile(
            f"{data} holds none of the folders {', '.join(SETS)}.", hint="Name the folder that holds them."
        )
    return materials, items


def _capped(items: list[_Item]) -> list[_Item]:
    seen: Counter[tuple[str, ...]] = Counter()
    kept = []
    for each in items:
        seen[(each.set, *each.labels)] += 1
        if not each.labels or len(each.labels) > 1 or seen[(each.set, *each.labels)] <= MOST:
            kept.append(each)
    return kept


def _material(data: Path, materials: list[Material], items: list[_Item], *, part: str) -> Material:
    truth = labelled(
        data, [(each.name, [f"{each.set}:{label}" for label in each.labels]) for each in items], format="benchmark"
    )
    classes = {
        each.name: f"{each.set}:{each.name if len(each.labels) > 1 else each.labels[0]}"
        for each in items
        if each.labels
    }
    there = list(dict.fromkeys(each.set for each in items))
    wanted = {each.name for each in items}
    readers = [each.pixels for each in materials if each.pixels is not None]

    def pixels() -> Mapping[str, Image]:
        return {name: image for reader in readers for name, image in reader().items() if name in wanted}

    return Material(
        sources=tuple(source for each in materials for source in each.sources),
        runs=(
            Run(
                truth=truth,
                protocol="leave-one-out",
                metrics=METRICS,
                classes=classes,
                notes=(f"One base of {', '.join(there)}; at most {MOST} images of a class.",),
            ),
        ),
        pixels=pixels if readers else None,
        part=part,
    )


BENCHMARKS = (
    Benchmark(
        "universal",
        "all of the project's own sets in one base, for one embedder, by mP@5",
        f"a folder that holds those of {', '.join(SETS)}",
        "the task of the Google Universal Image Embedding challenge, ECCV 2022",
        (),
        read,
        splits=True,
    ),
)
