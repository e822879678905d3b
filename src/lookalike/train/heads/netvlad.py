"""NetVLAD with centres that are learned."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ...embed.pooling.netvlad import NetVLAD

__all__ = ["NetVLADPool"]


class NetVLADPool(nn.Module):
    """For each of K centres the residuals of the positions that belong to it; ``embed.pooling.netvlad`` defines it.

    Args:
        channels: C.
        centres: K; rows are K C long.
        sharpness: of the assignment at the start.

    Centres start as random unit vectors, not as k-means of features as in the paper.
    """

    takes = "map"

    def __init__(self, *, channels: int, centres: int = 8, sharpness: float = 10.0) -> None:
        super().__init__()
        self.dimension = centres * channels
        start = F.normalize(torch.randn(centres, channels))
        self.centres = nn.Parameter(start)
        self.weights = nn.Parameter(2 * sharpness * start.clone())
        self.biases = nn.Parameter(-sharpness * (start**2).sum(dim=1))

    def forward(self, features: Any) -> Any:
        """Return (B, K C) of (B, C, H, W)."""
        flat = F.normalize(features.flatten(2), dim=1)  # (B, C, N)
        share = (self.weights @ flat + self.biases[:, None]).softmax(dim=1)  # (B, K, N)
        residuals = share @ flat.transpose(1, 2) - share.sum(dim=2, keepdim=True) * self.centres  # (B, K, C)
        return F.normalize(F.normalize(residuals, dim=2).flatten(1))

    def definition(self) -> NetVLAD:
        """Return the same in numpy."""
        values = {name: getattr(self, name).detach().cpu().numpy() for name in ("centres", "weights", "biases")}
        return NetVLAD(**values)
