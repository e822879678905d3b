"""Combined global descriptors, with the classifier that trains beside them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ...embed.pooling.cgd import CombinedDescriptors
from .gem import GeMPool

__all__ = ["CGDPool"]


class CGDPool(nn.Module):
    """Several poolings side by side, each projected and of unit norm; ``embed.pooling.cgd`` is the definition.

    The first branch, before its projection, is what the auxiliary classification reads (``auxiliary``).

    Args:
        channels: C.
        branches: letters: S average, M maximum, G GeM.
        part: dimensions of each branch.
        p: of GeM.
    """

    takes = "map"

    def __init__(self, *, channels: int, branches: str = "SG", part: int = 256, p: float = 3.0) -> None:
        super().__init__()
        self.branches = branches
        self.dimension = part * len(branches)
        self.auxiliary_dimension = channels
        self.gem = GeMPool(channels=channels, p=p, learned=False)
        self.projections = nn.ModuleList(nn.Linear(channels, part, bias=False) for _ in branches)
        self.auxiliary: Any = None  # (B, C) of the last batch

    def forward(self, features: Any) -> Any:
        """Return (B, part x branches) of (B, C, H, W)."""
        pools = {
            "S": lambda: features.mean(dim=(2, 3)),
            "M": lambda: features.amax(dim=(2, 3)),
            "G": lambda: self.gem(features),
        }
        pooled = [pools[letter]() for letter in self.branches]
        self.auxiliary = pooled[0]
        parts = [F.normalize(projection(rows)) for projection, rows in zip(self.projections, pooled, strict=True)]
        return F.normalize(torch.cat(parts, dim=1))

    def definition(self) -> CombinedDescriptors:
        """Return the same in numpy."""
        weights = [each.weight.detach().cpu().numpy() for each in self.projections]
        return CombinedDescriptors(branches=self.branches, p=float(self.gem.p), projections=weights)
