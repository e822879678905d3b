"""How good the network is on images that were kept apart: the evaluator's own search and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..evaluate.protocols import run_protocol
from ..evaluate.summary import Estimate, summarise
from ..evaluate.truth.base import LabelSets, Truth
from ..evaluate.truth.joining import join
from ..evaluate.vector_files import VectorSet
from .pictures import Pictures
from .samples import Samples

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

    def measure(self, network: Any, device: str, *, changed: Any = None, seed: int = 0) -> dict[str, Estimate]:
        """Return the metrics, with intervals bootstrapped by class where there are classes.

        Args:
            network: from (B, 3, S, S) in [0, 1] to (B, D).
            device: where it computes.
            changed: the augmentation that makes copies, for images without labels.
            seed: of the intervals and the copies.

        Raises:
            BadInput: nothing there can be measured, such as no two images of a class.
        """
        vectors, there = embed_all(network, self.pictures, device)
        keys = list(dict.fromkeys((self.metric, *METRICS)))
        if self.samples.kind == "none":
            copies, _ = embed_all(network, self.pictures, device, changed=changed, seed=seed)
            return _by_copies(vectors, copies, keys, seed)
        samples = self.samples.part(there)
        found = VectorSet(vectors, samples.names, cosine=True)
        truth = samples.truth()
        if samples.pairs is not None:
            asked = np.unique(samples.pairs.query[samples.pairs.grades > 0])
            if not len(asked):
                raise BadInput("no pair of images that belong together was kept apart.", hint="Raise --validation.")
            truth = Truth(path=truth.path, format=truth.format, names=truth.names, pairs=truth.pairs, queries=asked)
        evaluation = run_protocol(found, join(truth, found))
        return summarise(evaluation.judged, keys, seed=seed)


def embed_all(
    network: Any, pictures: Pictures, device: str, *, changed: Any = None, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return float32 (V, D) of unit norm, and int64 (V,) the positions of the images that could be read."""
    import torch

    from .seeding import seed_step

    before = network.training
    network.eval()
    rows: list[npt.NDArray[np.float32]] = []
    there: list[npt.NDArray[np.int64]] = []
    count = len(pictures.sources)
    plans = [range(at, min(at + _BATCH, count)) for at in range(0, count, _BATCH)]
    if changed is not None:
        seed_step(seed, 1 << 30)
    with torch.inference_mode():
        for at, pixels in pictures.batches(plans):
            if not len(at):
                continue
            tensor = to_tensor(pixels, device)
            if changed is not None:
                tensor = changed(tensor)
            rows.append(torch.nn.functional.normalize(network(tensor)).float().cpu().numpy())
            there.append(at)
    network.train(before)
    if not rows:
        raise BadInput("none of the images could be read.", hint="Look at one of them.")
    return np.concatenate(rows), np.concatenate(there)


def to_tensor(pixels: npt.NDArray[np.uint8], device: str) -> Any:
    """Return (B, 3, S, S) float32 in [0, 1] of (B, S, S, 3) uint8."""
    import torch

    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).contiguous().float() / 255


def _by_copies(
    vectors: npt.NDArray[np.float32], copies: npt.NDArray[np.float32], keys: list[str], seed: int
) -> dict[str, Estimate]:
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
    return summarise(run_protocol(found, join(truth, found)).judged, keys, seed=seed)
