"""What is trained on and what is kept apart to see how well: by whole classes, wherever there are enough of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import BadInput
from .samples import Samples

__all__ = ["FEW", "Split", "held_together", "split"]

FEW = 10  # classes below which whole ones cannot be kept apart


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Two parts that share no image, and no class where ``by`` says so.

    Attributes:
        train, validation: the parts; ``validation`` is empty when nothing was kept apart.
        by: ``class``, ``group`` (images that pairs hold together) or ``image``.
    """

    train: Samples
    validation: Samples
    by: str


def split(samples: Samples, share: float, *, seed: int, purpose: int = 7) -> Split:
    """Keep a share of the classes apart; of the images, where there are fewer than ``FEW`` classes or none.

    Args:
        samples: what there is.
        share: in [0, 1); 0 keeps nothing apart.
        seed, purpose: of the draw; another purpose draws others.

    Raises:
        BadInput: nothing would be left to train on.
    """
    rng = np.random.default_rng([seed, purpose])
    units, by = _units(samples)
    if not share:
        return Split(samples, samples.part([]), by)
    names = rng.permutation(np.unique(units))
    apart = names[: max(1, round(share * len(names)))]
    held = np.isin(units, apart)
    if held.all():
        raise BadInput("nothing is left to train on: all images belong together.", hint="Give images of more classes.")
    return Split(samples.part(np.flatnonzero(~held)), samples.part(np.flatnonzero(held)), by)


def _units(samples: Samples) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], str]:
    """Return (M,) what must stay on one side with what."""
    if samples.kind == "classes" and len(np.unique(samples.classes)) >= FEW:
        return samples.classes, "class"
    if samples.pairs is not None:
        groups = held_together(samples)
        if len(np.unique(groups)) >= FEW:
            return groups, "group"
    return np.arange(len(samples), dtype=np.int64), "image"


def held_together(samples: Samples) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return (M,) the smallest position of the images that pairs link each image with, near or far (union-find)."""
    assert samples.pairs is not None
    parent = np.arange(len(samples), dtype=np.int64)

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = int(parent[at])
        return at

    alike = samples.pairs.grades > 0
    for first, second in zip(samples.pairs.query[alike], samples.pairs.item[alike], strict=True):
        a, b = root(int(first)), root(int(second))
        parent[max(a, b)] = min(a, b)
    return np.array([root(at) for at in range(len(samples))], np.int64)
