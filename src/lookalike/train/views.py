"""Several photographs of one object to one vector, by a small set transformer.

A mean forgets which views agree; attention between the views can weigh them. Whether that is worth anything is measured
beside the mean and the generalised mean (``plain_merge``).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..collection.multiview import Merge, merge_rows
from ..embed.unit import unit
from ..errors import BadInput
from .seeding import seed_step

__all__ = ["SetTransformer", "merged", "plain_merge", "train_merge"]

Floats = npt.NDArray[np.float32]


class SetTransformer(nn.Module):
    """From (B, V, D) views to (B, D): self-attention among the views, which then says how much each view counts.

    The result is a weighted mean of the views themselves, so that it stays comparable with vectors of single
    photographs; all weights are equal at the start, which is the mean. The order of the views does not matter.

    Args:
        dimension: D.
        heads: of the attention.
        layers: of self-attention.

    Source: Lee et al., "Set Transformer", ICML 2019: SAB layers, then pooling by attention with one seed. Deviation:
    what is pooled are the views, not their hidden values.
    """

    def __init__(self, dimension: int, *, heads: int = 4, layers: int = 1) -> None:
        super().__init__()
        if dimension % heads:
            raise BadInput(f"the dimension, {dimension}, must be a multiple of the {heads} heads.")
        layer = nn.TransformerEncoderLayer(
            dimension, heads, 2 * dimension, dropout=0.0, batch_first=True, norm_first=True
        )
        self.among = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.score = nn.Linear(dimension, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, views: Any, there: Any) -> Any:
        """Return (B, D) of unit norm; ``there`` (B, V) says which views exist, at least one of each object."""
        hidden = self.among(views, src_key_padding_mask=~there)
        weights = self.score(hidden)[:, :, 0].masked_fill(~there, float("-inf")).softmax(dim=1)  # (B, V)
        return nn.functional.normalize((weights[:, :, None] * views).sum(dim=1))


@dataclass(frozen=True, slots=True)
class _Drawn:
    views: Any
    there: Any


def train_merge(
    vectors: Floats,
    objects: Sequence[int] | npt.NDArray[np.int64],
    *,
    steps: int = 500,
    batch: int = 32,
    most: int = 4,
    rate: float = 1e-3,
    temperature: float = 0.07,
    seed: int = 0,
) -> SetTransformer:
    """Train the merging of views: two disjoint sets of views of one object against those of the others of a batch.

    Args:
        vectors: (N, D) of unit norm, one a photograph.
        objects: (N,), which object each is of; objects with a single photograph are left out.
        steps, batch, rate: of the training; a batch holds that many objects.
        most: views in a set, at most.
        temperature: of the contrastive loss (NT-Xent).
        seed: of everything random.

    Raises:
        BadInput: fewer than two objects with two photographs.
    """
    owner = np.asarray(objects)
    groups = [np.flatnonzero(owner == each) for each in np.unique(owner)]
    groups = [group for group in groups if len(group) > 1]
    if len(groups) < 2:
        raise BadInput("merging of views is learned from two objects or more with several photographs each.")
    seed_step(seed, 0)
    model = SetTransformer(vectors.shape[1], heads=math.gcd(vectors.shape[1], 4))
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate)
    table = torch.from_numpy(np.ascontiguousarray(vectors, np.float32))
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        chosen = rng.choice(len(groups), min(batch, len(groups)), replace=False)
        first, second = [], []
        for at in chosen:
            shuffled = rng.permutation(groups[at])
            cut = len(shuffled) // 2
            first.append(shuffled[:cut][:most])
            second.append(shuffled[cut:][:most])
        a, b = (model(drawn.views, drawn.there) for drawn in (_padded(table, first), _padded(table, second)))
        logits = a @ b.T / temperature
        aim = torch.arange(len(a))
        loss = (nn.functional.cross_entropy(logits, aim) + nn.functional.cross_entropy(logits.T, aim)) / 2
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def merged(model: SetTransformer, sets: Sequence[Floats]) -> Floats:
    """Return (B, D) of unit norm, each of a set of (V, D) views."""
    table = torch.from_numpy(np.concatenate(sets).astype(np.float32))
    starts = np.cumsum([0, *map(len, sets)])
    drawn = _padded(table, [np.arange(a, b) for a, b in itertools.pairwise(starts)])
    with torch.inference_mode():
        return np.asarray(model(drawn.views, drawn.there).numpy())


def plain_merge(sets: Sequence[Floats], how: Merge) -> Floats:
    """Return (B, D) of unit norm: the mean or generalised mean of each set of views, as ``search --merge`` takes it."""
    rows = np.stack([merge_rows(each, np.ones(len(each)), how) for each in sets])
    return unit(rows, source="the views")


def _padded(table: Any, sets: Sequence[npt.NDArray[Any]]) -> _Drawn:
    longest = max(len(each) for each in sets)
    views = torch.zeros(len(sets), longest, table.shape[1])
    there = torch.zeros(len(sets), longest, dtype=torch.bool)
    for row, each in enumerate(sets):
        views[row, : len(each)] = table[torch.from_numpy(np.asarray(each))]
        there[row, : len(each)] = True
    return _Drawn(views, there)
