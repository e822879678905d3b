"""What is minimised: the losses of the settings, weighted, over the whole vector and its shorter prefixes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import BadInput
from .losses import create_loss, entry, parse_losses
from .miners import create_miner
from .settings import Settings
from .targets import Batch, Labels, tensors

__all__ = ["Objective", "loss_for"]

AUXILIARY = 0.5  # weight of a pooling's own classification, as in the CGD paper's balance of the two


def loss_for(settings: Settings, labels: Labels) -> str:
    """Return the losses of the settings, ``auto`` resolved by what is known of the images.

    ====================  ====================  =======================================================
    labels                ``auto``              because
    ====================  ====================  =======================================================
    a class each          multi-similarity      strong at few images a class, needs no weights a class
    several each          graded                uses how much two images have in common
    pairs, groups         multi-similarity      the groups are classes
    pairs, also unlike    contrastive           looks at what was said and nothing else
    triplets              triplet               each as it was said
    none                  nt-xent               two views of an image against all others
    ====================  ====================  =======================================================

    ``none`` leaves the labels out, for imitating a teacher only.

    Raises:
        UnknownName: no such loss. BadInput: one that these labels cannot feed.
    """
    if settings.loss == "auto":
        if labels.kind == "label-sets":
            return "graded"
        if labels.kind == "none":
            return "nt-xent"
        if labels.kind == "triplets":
            return "triplet"
        return "multi-similarity" if labels.classes is not None else "contrastive"
    if settings.loss == "none":
        if not settings.teacher:
            raise BadInput("without a loss there is nothing to learn.", hint="Name a loss, or a teacher to imitate.")
        return "none"
    for name, _ in parse_losses(settings.loss):
        if entry(name).needs == "classes" and labels.classes is None:
            what = {"label-sets": "several labels", "pairs": "pairs", "triplets": "triplets"}.get(
                labels.kind, "no labels"
            )
            raise BadInput(
                f"the loss {name!r} needs one class for each image, but these have {what}.",
                hint="Use --loss auto, or one of those that compare pairs, such as multi-similarity.",
            )
    return settings.loss


class Objective(nn.Module):
    """The loss of a batch.

    Args:
        settings: losses, miner, memory, Matryoshka prefixes.
        labels: what is known.
        dimension: of the vectors.
        auxiliary: of what the pooling wants classified beside; 0 for nothing.
    """

    def __init__(self, settings: Settings, labels: Labels, *, dimension: int, auxiliary: int = 0) -> None:
        super().__init__()
        self.text = loss_for(settings, labels)
        self.parts = parse_losses(self.text) if self.text != "none" else []
        self.needs = [entry(name).needs for name, _ in self.parts]
        self.mines = [entry(name).mines for name, _ in self.parts]
        self.prefixes = (*settings.matryoshka, dimension)
        options: Mapping[str, Any] = settings.loss_options
        if options and len(self.parts) > 1:
            raise BadInput("options of a loss cannot be given with several losses.", hint="Name one loss.")
        self.losses = nn.ModuleList(
            create_loss(name, classes=labels.count, dimension=length, options=options)
            for length in self.prefixes
            for name, _ in self.parts
        )
        self.miner = create_miner(settings.miner)
        if self.miner is not None and labels.classes is None:
            raise BadInput(
                f"the miner {settings.miner!r} needs a class for each image.",
                hint="Leave --miner out for these labels.",
            )
        self.memories = nn.ModuleList(self._memories(settings, labels)) if settings.memory else None
        self.auxiliary = nn.Linear(auxiliary, labels.count) if auxiliary and labels.count else None

    def _memories(self, settings: Settings, labels: Labels) -> list[Any]:
        from pytorch_metric_learning.losses import CrossBatchMemory

        if labels.classes is None:
            raise BadInput("a memory of earlier batches needs a class for each image.", hint="Leave --memory out.")
        if any(need != "pairs" for need in self.needs):
            raise BadInput(
                f"a memory of earlier batches goes with losses that compare pairs, not with {self.text}.",
                hint="Leave --memory out, or use multi-similarity, triplet or contrastive.",
            )
        return [
            CrossBatchMemory(loss, length, memory_size=settings.memory, miner=self.miner)
            for loss, length in zip(self.losses, [n for n in self.prefixes for _ in self.parts], strict=True)
        ]

    def forward(self, vectors: Any, batch: Batch, auxiliary: Any = None) -> Any:
        """Return the loss of (B, D) vectors, a number."""
        classes, overlap = tensors(batch, vectors.device)
        total = vectors.new_zeros(())
        count = max(1, len(self.parts))
        for number, loss in enumerate(self.losses):
            length = self.prefixes[number // count]
            part = vectors[:, :length]
            weight = self.parts[number % count][1] / len(self.prefixes)
            if self.memories is not None:
                value = self.memories[number](part, classes)
            else:
                value = self._one(loss, number % count, part, batch, classes, overlap)
            total = total + weight * value
        if self.auxiliary is not None and auxiliary is not None and classes is not None:
            total = total + AUXILIARY * nn.functional.cross_entropy(self.auxiliary(auxiliary.float()), classes)
        return total

    def _one(self, loss: Any, number: int, vectors: Any, batch: Batch, classes: Any, overlap: Any) -> Any:
        needs = self.needs[number]
        if needs == "classes":
            return loss(vectors, classes)
        if needs == "overlap":
            return loss(vectors, overlap)
        if classes is not None:
            chosen = self.miner(vectors, classes) if self.miner is not None and self.mines[number] else None
            return loss(vectors, classes, chosen)
        said = batch.pairs()
        if batch.triplets is not None and entry(self.parts[number][0]).takes_triplets:
            said = tuple(batch.triplets.T)
        chosen = tuple(torch.from_numpy(np.ascontiguousarray(part)).to(vectors.device) for part in said)
        return loss(vectors, None, chosen)
