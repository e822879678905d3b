"""How good the network is on images that were kept apart: the evaluator's own search and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..evaluate.judged import Judged
from ..evaluate.protocols import run_protocol
from ..evaluate.summary import Estimate, summarise
from ..evaluate.truth.base import LabelSets, Truth
from ..evaluate.truth.joining import join
from ..evaluate.vector_files import VectorSet
from .pictures import Pictures
from .samples import Samples

if TYPE_CHECKING:
    from .together import Group

__all__ = ["METRICS", "Validation", "embed_all"]

METRICS = ("map", "hit_rate@1", "recall@10")
_BATCH = 128


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """What is measured between epochs.

    Without labels each image is sought by a changed copy of itself.

    Args:
        samples: the images that were kept apart.
        pictures: their pixels.
        metric: what picks the best weights.
    """

    samples: Samples
    pictures: Pictures
    metric: str

    def broken(self, group: Group) -> dict[str, str]:
        """Return the names of the images that some process could not read, with the reason."""
        return {
            self.samples.names[at]: why for part in group.everyones(self.pictures.broken) for at, why in part.items()
        }

    def measure(
        self, network: Any, device: str, *, changed: Any = None, seed: int = 0, group: Group | None = None
    ) -> dict[str, Estimate]:
        """Return the metrics, with intervals bootstrapped by class where there are classes.

        Args:
            network: from (B, 3, S, S) in [0, 1] to (B, D).
            device: where it computes.
            changed: the augmentation that makes copies, for images without labels.
            seed: of the intervals and the copies.
            group: the processes that share the work.

        Raises:
            BadInput: nothing there can be measured, such as no two images of a class.
        """
        keys = list(dict.fromkeys((self.metric, *METRICS)))
        vectors, there = embed_all(network, self.pictures, device, group=group)
        copies = None
        if self.samples.kind == "none":
            copies, _ = embed_all(network, self.pictures, device, changed=changed, seed=seed, group=group)

        def figures() -> dict[str, Estimate]:
            return summarise(self.judged(vectors, there, copies), keys, seed=seed)

        return figures() if group is None else group.from_first(figures)

    def judged(
        self,
        vectors: npt.NDArray[np.float32],
        there: npt.NDArray[np.int64],
        copies: npt.NDArray[np.float32] | None = None,
    ) -> Judged:
        """Return what a search among vectors finds.

        Args:
            vectors: (V, D) of unit norm.
            there: (V,), which of the images they are of.
            copies: (V, D), of changed copies, which are sought where images have no labels.
        """
        if copies is not None:
            return _by_copies(vectors, copies)
        samples = self.samples.part(there)
        found = VectorSet(vectors, samples.names, cosine=True)
        truth = samples.truth()
        if samples.pairs is not None:
            asked = np.unique(samples.pairs.query[samples.pairs.grades > 0])
            if not len(asked):
                raise BadInput("no pair of images that belong together was kept apart.", hint="Raise --validation.")
            truth = Truth(path=truth.path, format=truth.format, names=truth.names, pairs=truth.pairs, queries=asked)
        return run_protocol(found, join(truth, found)).judged


def embed_all(
    network: Any,
    pictures: Pictures,
    device: str,
    *,
    changed: Any = None,
    seed: int = 0,
    group: Group | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return float32 (V, D) of unit norm, and int64 (V,) the positions of the images that could be read."""
    import torch

    from .seeding import seed_step
    from .together import ALONE

    group = group or ALONE

    before = network.training
    network.eval()
    rows: list[npt.NDArray[np.float32]] = []
    there: list[npt.NDArray[np.int64]] = []
    count = len(pictures.sources)
    plans = [range(at, min(at + _BATCH, count)) for at in range(0, count, _BATCH)]
    if changed is not None:
        seed_step(seed, (1 << 30) + group.rank)
    with torch.inference_mode():
        for at, pixels in pictures.batches(plans[group.rank :: group.size]):
            if not len(at):
                continue
            tensor = to_tensor(pixels, device)
            if changed is not None:
                tensor = changed(tensor)
            rows.append(torch.nn.functional.normalize(network(tensor)).float().cpu().numpy())
            there.append(at)
    network.train(before)
    own = (np.concatenate(rows), np.concatenate(there)) if rows else None
    parts = [part for part in group.everyones(own) if part is not None]
    if not parts:
        raise BadInput("none of the images could be read.", hint="Look at one of them.")
    every = np.concatenate([part[1] for part in parts])
    order = np.argsort(every, kind="stable")
    return np.concatenate([part[0] for part in parts])[order], every[order]


def to_tensor(pixels: npt.NDArray[np.uint8], device: str) -> Any:
    """Return (B, 3, S, S) float32 in [0, 1] of (B, S, S, 3) uint8."""
    import torch

    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).contiguous().float() / 255


def _by_copies(vectors: npt.NDArray[np.float32], copies: npt.NDArray[np.float32]) -> Judged:
    count = len(vectors)
    names = [f"{kind}{at}" for kind in ("copy ", "image ") for at in range(count)]
    labels = LabelSets.of([str(at)] for _ in range(2) for at in range(count))
    truth = Truth(
        path=Path("copies"),
        format="training",
        names=tuple(names),
        labels=labels,
        queries=np.arange(count, dtype=np.int64),
        base=np.arange(count, 2 * count, dtype=np.int64),
    )
    found = VectorSet(np.concatenate([copies, vectors]), names, cosine=True)
    return run_protocol(found, join(truth, found)).judged
