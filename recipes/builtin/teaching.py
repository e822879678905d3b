"""What is minimised: pictures of one class are drawn together over many batches, and teachers are imitated."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from lookalike.train.losses import create_loss

__all__ = ["Alike", "Known", "Taught"]


class Alike(nn.Module):
    """Supervised contrast over this batch and a memory of earlier ones.

    -log of the softmax of each pair of one class among all pairs of its first picture, averaged over the pairs and
    then over the pictures that have one. pytorch-metric-learning's ``SupConLoss`` with ``CrossBatchMemory`` is the same
    but for the pairs that are left out here: photographs of one kind, which are neither alike nor unlike.

    Source: Khosla et al., "Supervised contrastive learning", NeurIPS 2020, eq. 2; Wang et al., "Cross-batch memory",
    CVPR 2020, for the memory.

    Args:
        dimension: of the vectors.
        size: vectors in the memory; 0 for none.
        temperature: of the softmax.
    """

    def __init__(self, dimension: int, *, size: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.register_buffer("memory", torch.zeros(size, dimension))
        self.register_buffer("classes", torch.full((size,), -1, dtype=torch.int64))
        self.register_buffer("groups", torch.full((size,), -1, dtype=torch.int64))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))

    def forward(self, vectors: Any, classes: Any, groups: Any, *, remember: bool) -> Any:
        """Return the loss of (B, D) vectors, a number.

        Args:
            classes: (B,) at least 0.
            groups: (B,) at least 0 for those whose other members are left out, else -1.
            remember: use the memory, and add these to it.
        """
        rows = functional.normalize(vectors.float())
        others, labels, kinds = rows, classes, groups
        if remember and len(self.memory):
            known = self.classes >= 0
            others = torch.cat([rows, self.memory[known]])
            labels = torch.cat([classes, self.classes[known]])
            kinds = torch.cat([groups, self.groups[known]])
        alike = classes[:, None] == labels[None]
        left_out = (groups[:, None] == kinds[None]) & (groups[:, None] >= 0) & ~alike
        places = torch.arange(len(rows), device=rows.device)
        left_out[places, places] = True
        alike[places, places] = False
        logits = (rows @ others.T / self.temperature).masked_fill(left_out, float("-inf"))
        chances = logits - torch.logsumexp(logits, dim=1, keepdim=True)
        count = alike.sum(dim=1)
        each = chances.masked_fill(~alike, 0.0).sum(dim=1) / count.clamp(min=1)
        if remember and len(self.memory):
            self._remember(rows.detach(), classes, groups)
        return -each[count > 0].mean()

    @torch.no_grad()
    def _remember(self, rows: Any, classes: Any, groups: Any) -> None:
        size = len(self.memory)
        at = (self.place + torch.arange(len(rows), device=rows.device)) % size
        self.memory[at], self.classes[at], self.groups[at] = rows, classes, groups
        self.place.copy_((self.place + len(rows)) % size)


class Known(nn.Module):
    """Classification among the known classes, by the cosine to a vector of each: quicker at the start than pairs.

    Source: Zhai and Wu, "Classification is a strong baseline for deep metric learning", BMVC 2019, as
    pytorch-metric-learning has it.

    Args:
        dimension: of the vectors.
        classes: how many.
        temperature: of the softmax.
    """

    def __init__(self, dimension: int, classes: int, *, temperature: float) -> None:
        super().__init__()
        options = {"temperature": temperature}
        self.loss = create_loss("normalised-softmax", classes=classes, dimension=dimension, options=options)

    def forward(self, vectors: Any, classes: Any) -> Any:
        """Return the mean over the (B, D) vectors whose class (B,) is at least 0."""
        there = classes >= 0
        return self.loss(vectors[there].float(), classes[there])


class Taught(nn.Module):
    """The distance to the teachers' vectors: of a layer's guess at them, and of the similarities within the batch.

    Source: Park et al., "Relational knowledge distillation", CVPR 2019, with cosines in place of distances; Romero et
    al., "FitNets", ICLR 2015, for the guess.

    Args:
        dimension: of the vectors that learn.
        targets: (V, D) the teachers', of unit norm.
    """

    def __init__(self, dimension: int, targets: Any) -> None:
        super().__init__()
        self.guess = nn.Linear(dimension, targets.shape[1])
        self.register_buffer("targets", targets, persistent=False)

    def forward(self, vectors: Any, at: Any) -> Any:
        """Return the loss of (T, dimension) vectors of the views ``at`` (T,), a number."""
        vectors = vectors.float()
        wanted = self.targets[at]
        direct = 1 - (functional.normalize(self.guess(vectors)) * wanted).sum(dim=1).mean()
        rows = functional.normalize(vectors)
        apart = ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)
        relations = (rows @ rows.T - wanted @ wanted.T)[apart].square().mean()
        return direct + 4 * relations
