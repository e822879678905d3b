"""What is in each batch: every kind of picture beside the others, so that each is a negative of all.

A batch depends on the seed, the stage and the step alone, so a run that was stopped goes on with the same ones.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from queue import Queue
from threading import Event, Thread
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from changes import INPUT, Chances, photos_changed, retaken, symbols_changed
from drawings import drawing, rendered
from material import Material, Stored
from teachers import Views

from lookalike.train.seeding import generator, seed_step

__all__ = ["Batch", "Batches", "Mix"]

Ints = npt.NDArray[np.int64]

_CHANCES: Mapping[str, Chances] = {
    "emoji": Chances(mono=0.06, badge=0.06, lines=0.15),
    "logos": Chances(mono=0.2, badge=0.25, lines=0.08),
    "omniglot": Chances(mono=0.3, badge=0.1),
    "fashion": Chances(mono=0.0, badge=0.0, black=1.0),
    "drawings": Chances(mono=0.08, badge=0.15, lines=0.08),
}
_WINDOW = 1200  # made-up classes at hand at a time
_FRESH = 2  # of them new in each step
_IMAGES = 6  # of each
_FIRST_DRAWING, _FIRST_PHOTO = 10_000_000, 5_000_000  # their classes, beside those of the material
_GROCERY = 1_000_000


@dataclass(frozen=True, slots=True)
class Mix:
    """How many (classes, pictures of each) of every kind; photographs are instances, two views each."""

    emoji: tuple[int, int] = (14, 4)
    logos: tuple[int, int] = (7, 4)
    drawings: tuple[int, int] = (9, 4)
    omniglot: tuple[int, int] = (3, 3)
    fashion: tuple[int, int] = (2, 2)
    photos: tuple[int, int] = (14, 2)
    grocery: tuple[int, int] = (5, 4)
    taught: int = 96  # fixed views whose vectors by the teacher are known


@dataclass(frozen=True, slots=True)
class Batch:
    """Pixels and what is known of them.

    Attributes:
        pixels: (B, 3, S, S) in [0, 1]; the taught ones last.
        classes: (B - T,) of those that have a class.
        known: (B - T,) the same from 0 on, of the classes that the material has; -1 for drawings.
        groups: (B - T,) -1, or what makes two of different classes neither alike nor unlike: kinds of photographs.
        taught: (T,) positions of the views.
    """

    pixels: Any
    classes: Any
    known: Any
    groups: Any
    taught: Any


class Batches:
    """Makes them, one step ahead, on a thread of its own.

    Args:
        material: what is trained on.
        views: fixed views for the teacher; None without one.
        mix: what stands in a batch.
        seed, stage: of everything random.
        fresh: False keeps to the first window of made-up classes, for quick trials.
    """

    def __init__(
        self, material: Material, views: Views | None, mix: Mix, *, seed: int, stage: int, window: int = _WINDOW
    ) -> None:
        self.material, self.views, self.mix = material, views, mix
        self.seed, self.stage, self.window = seed, stage, window
        self._members = {name: _members(material.symbols, name) for name in ("emoji", "logos", "omniglot", "fashion")}
        self._members |= {name: _members(material.photos, name) for name in ("photos", "grocery")}
        self._drawn: OrderedDict[int, npt.NDArray[np.uint8]] = OrderedDict()

    def __len__(self) -> int:
        mix = self.mix
        kinds = (mix.emoji, mix.logos, mix.drawings, mix.omniglot, mix.fashion, mix.photos, mix.grocery)
        return sum(classes * each for classes, each in kinds) + (mix.taught if self.views is not None else 0)

    @property
    def known(self) -> int:
        """Return how many classes the material has, kinds of photographs among them."""
        return len(self.material.symbols.class_names) + len(self.material.photos.class_names)

    def ahead(self, first: int, side_of: Callable[[int], int]) -> Iterator[Batch]:
        """Yield the batches of the steps from ``first`` on; the next is made while one is used.

        Args:
            first: step of the first.
            side_of: the pixels of the pictures of a step; 0 past the end.
        """
        queue: Queue[Batch | BaseException | None] = Queue(maxsize=2)
        left = Event()

        def make() -> None:
            torch.set_num_threads(1)  # of this thread: small tensors gain nothing from a second core
            step = first
            try:
                while not left.is_set() and (side := side_of(step)):
                    queue.put(self.at(step, side))
                    step += 1
                queue.put(None)
            except BaseException as failed:  # the training shows it
                queue.put(failed)

        maker = Thread(target=make, name="batches", daemon=True)
        maker.start()
        try:
            while (made := queue.get()) is not None:
                if isinstance(made, BaseException):
                    raise made
                yield made
        finally:
            left.set()
            while maker.is_alive():
                while not queue.empty():
                    queue.get()
                maker.join(0.05)

    def at(self, step: int, side: int = INPUT) -> Batch:
        """Return the batch of a step in pictures of ``side`` pixels, the same on every call."""
        rng = generator(self.seed, self.stage, step)
        seed_step(self.seed * 16 + self.stage, step)
        symbols, photos = self.material.symbols, self.material.photos
        pixels: list[Any] = []
        classes: list[Ints] = []
        known: list[Ints] = []
        groups: list[Ints] = []
        chances: list[tuple[float, float, float, float]] = []
        for name in ("emoji", "logos", "omniglot", "fashion"):
            at = self._of_classes(name, rng)
            pixels.append(symbols.pixels[at])
            classes.append(symbols.classes[at])
            chances += [_row(name)] * len(at)
        known += classes
        drawn, numbers = self._drawings(step, rng)
        known.append(np.full(len(drawn), -1, np.int64))
        pixels.append(drawn)
        classes.append(_FIRST_DRAWING + numbers)
        chances += [_row("drawings")] * len(drawn)
        groups.append(np.full(sum(map(len, classes)), -1, np.int64))
        at = np.repeat(self._of_classes("photos", rng, each=1), self.mix.photos[1])
        grocery = self._of_classes("grocery", rng)
        scenes = torch.from_numpy(photos.pixels[np.concatenate([at, grocery])])
        classes += [_FIRST_PHOTO + at, _GROCERY + photos.classes[grocery]]
        known.append(len(symbols.class_names) + photos.classes[np.concatenate([at, grocery])])
        groups += [photos.classes[at], np.full(len(grocery), -1, np.int64)]
        parts = [
            symbols_changed(torch.from_numpy(np.concatenate(pixels)), torch.tensor(chances), scenes, side=side),
            photos_changed(scenes, side=side),
        ]
        taught: Ints = np.zeros(0, np.int64)
        if self.views is not None:
            taught = rng.integers(0, len(self.views.pixels), self.mix.taught)
            shown = torch.from_numpy(self.views.pixels[taught]).permute(0, 3, 1, 2).float() / 255
            parts.append(retaken(_smaller(shown, side)))
        return Batch(
            torch.cat(parts),
            torch.from_numpy(np.concatenate(classes)),
            torch.from_numpy(np.concatenate(known)),
            torch.from_numpy(np.concatenate(groups)),
            torch.from_numpy(taught),
        )

    def _of_classes(self, name: str, rng: np.random.Generator, each: int | None = None) -> Ints:
        """Return positions of different pictures of different classes, as many as there are of both."""
        members = self._members[name]
        classes, most = getattr(self.mix, name)
        chosen = rng.choice(len(members), min(classes, len(members)), replace=False)
        found = []
        for at in chosen:
            own = members[int(at)]
            count = each or most
            picked = rng.permutation(own)[:count]
            if len(picked) < count and not each:  # the augmentation makes two of one
                picked = np.concatenate([picked, rng.choice(own, count - len(picked))])
            found.append(picked)
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def _drawings(self, step: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], Ints]:
        """Return pictures of classes of the window that ends at this step, and the numbers of the classes."""
        first = step * _FRESH
        wanted = range(first, first + self.window)
        for number in [number for number in self._drawn if number < first]:
            del self._drawn[number]
        for number in wanted:
            if number not in self._drawn:
                made = drawing(self.seed, number)
                images = [rendered(made, generator(self.seed, 13, number, at)) for at in range(_IMAGES)]
                self._drawn[number] = np.stack(images)
        classes, each = self.mix.drawings
        numbers = first + rng.choice(self.window, min(classes, self.window), replace=False)
        pictures = [self._drawn[int(number)][rng.permutation(_IMAGES)[:each]] for number in numbers]
        return np.concatenate(pictures), np.repeat(numbers, each).astype(np.int64)


def _members(stored: Stored, name: str) -> list[Ints]:
    of_set = stored.of_set(name)
    classes = stored.classes[of_set]
    groups = [of_set[classes == each] for each in np.unique(classes)]
    return [group for group in groups if len(group) > 1]


def _smaller(pixels: Any, side: int) -> Any:
    if pixels.shape[-1] == side:
        return pixels
    return torch.nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)


def _row(name: str) -> tuple[float, float, float, float]:
    chances = _CHANCES[name]
    return chances.mono, chances.badge, chances.black, chances.lines
