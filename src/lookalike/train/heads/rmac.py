"""Regional maxima (R-MAC) while training."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import nn

from ...embed.pooling.rmac import RMAC, regions

__all__ = ["RMACPool"]


class RMACPool(nn.Module):
    """The sum of the unit maximum vectors of square regions, of unit norm; ``embed.pooling.rmac`` is the definition.

    Args:
        channels: C.
        levels: how many scales of regions.
        whole: also count the whole map.
    """

    takes = "map"

    def __init__(self, *, channels: int, levels: int = 3, whole: bool = False) -> None:
        super().__init__()
        self.dimension = channels
        self.levels, self.whole = levels, whole

    def forward(self, features: Any) -> Any:
        """Return (B, C) of (B, C, H, W)."""
        height, width = features.shape[2:]
        parts = [features] if self.whole else []
        parts += [features[:, :, t : t + s, at : at + s] for t, at, s in regions(height, width, self.levels)]
        return F.normalize(sum(F.normalize(part.amax(dim=(2, 3))) for part in parts))

    def definition(self) -> RMAC:
        """Return the same in numpy."""
        return RMAC(levels=self.levels, whole=self.whole)
