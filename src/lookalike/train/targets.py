"""What a loss is told about a batch: classes, who belongs with whom, or how much any two have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .samples import Samples

__all__ = ["Batch", "Labels", "tensors"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What is known of B images.

    Attributes:
        classes: int64 (B,), the class of each; None where images have none of their own.
        overlap: float32 (B, B), how much two images have in common, in [0, 1]; NaN where nothing is known.
        triplets: (T, 3), places in the batch: the first is more like the second than the third; None where nothing was
            said in this way.
    """

    classes: Ints | None
    overlap: npt.NDArray[np.float32]
    triplets: Ints | None = None

    def pairs(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Return the alike pairs (a, p) and the others (a, n), each both ways round, as PML's ``indices_tuple``."""
        known = ~np.isnan(self.overlap)
        np.fill_diagonal(known, False)
        alike = np.nonzero(known & (self.overlap > 0))
        others = np.nonzero(known & (self.overlap == 0))
        return alike[0], alike[1], others[0], others[1]


class Labels:
    """What is known of all M images, asked batch by batch.

    Images with pairs that say only what is alike are given the class of what the pairs hold together; where pairs also
    say what is not alike, only what was said counts.

    Args:
        samples: the images.
        views: how often each image stands in a batch when nothing is known: its copies, changed at random, are alike.

    Attributes:
        classes: (M,) the class of each image; None where there is none.
        count: how many classes there are; 0 without.
    """

    def __init__(self, samples: Samples, *, views: int = 1) -> None:
        from .split import held_together

        self.kind = samples.kind
        self.views = views
        self.classes: Ints | None = None
        self._sets = samples.labels if samples.kind == "label-sets" else None
        self._graded: dict[tuple[int, int], float] | None = None
        self._triplets = samples.triplets
        self._of_anchor: dict[int, list[int]] = {}  # anchor -> its triplets
        for number, anchor in enumerate(() if self._triplets is None else self._triplets[:, 0]):
            self._of_anchor.setdefault(int(anchor), []).append(number)
        if samples.kind == "classes":
            self.classes = np.unique(samples.classes, return_inverse=True)[1].astype(np.int64)
        elif samples.pairs is not None:
            if samples.triplets is None and (samples.pairs.grades > 0).all():
                self.classes = np.unique(held_together(samples), return_inverse=True)[1].astype(np.int64)
            else:
                table = zip(samples.pairs.query, samples.pairs.item, samples.pairs.grades, strict=True)
                self._graded = {(int(a), int(b)): float(grade) for a, b, grade in table}
                self._graded |= {(b, a): grade for (a, b), grade in self._graded.items()}
        self.count = 0 if self.classes is None else int(self.classes.max(initial=-1)) + 1

    def batch(self, at: Sequence[int] | Ints) -> Batch:
        """Return what is known of some images, by position; an image that comes twice is alike to itself."""
        places = np.asarray(at, np.int64)
        if self.classes is not None:
            classes = self.classes[places]
            return Batch(classes, (classes[:, None] == classes[None]).astype(np.float32))
        same = places[:, None] == places[None]
        if self._sets is not None:
            return Batch(None, self._jaccard(places))
        if self._graded is not None:
            overlap = np.full((len(places), len(places)), np.nan, np.float32)
            for i, a in enumerate(places):
                for j, b in enumerate(places):
                    grade = self._graded.get((int(a), int(b)))
                    if grade is not None:
                        overlap[i, j] = min(grade, 1.0)
            return Batch(None, np.where(same, np.float32(1), overlap), self._said(places))
        return Batch(np.unique(places, return_inverse=True)[1].astype(np.int64), same.astype(np.float32))

    def _said(self, places: Ints) -> Ints | None:
        """Return the triplets whose images are all there, by place."""
        if self._triplets is None:
            return None
        place = {int(at): row for row, at in enumerate(places)}
        numbers = [number for at in place for number in self._of_anchor.get(at, ())]
        rows = [[place.get(int(at), -1) for at in self._triplets[number]] for number in numbers]
        found = np.array(rows, np.int64).reshape(-1, 3)
        return found[(found >= 0).all(axis=1)]

    def _jaccard(self, places: Ints) -> npt.NDArray[np.float32]:
        assert self._sets is not None
        member = np.zeros((len(places), len(self._sets.names)), np.float32)
        for row, place in enumerate(places):
            member[row, self._sets.codes[self._sets.starts[place] : self._sets.starts[place + 1]]] = 1
        common = member @ member.T
        sizes = member.sum(axis=1)
        return np.asarray(common / np.maximum(sizes[:, None] + sizes[None] - common, 1), np.float32)


def tensors(batch: Batch, device: Any) -> tuple[Any, Any]:
    """Return classes and overlap as torch tensors on a device; None for classes that are not there."""
    import torch

    classes = None if batch.classes is None else torch.from_numpy(batch.classes).to(device)
    return classes, torch.from_numpy(batch.overlap).to(device)
