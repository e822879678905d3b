"""The batch drop block: a second branch that must do without a part of the picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ...embed.pooling.drop_block import BatchDropBlock

__all__ = ["DropBlockPool"]


class DropBlockPool(nn.Module):
    """The mean beside the maximum; while training, the second loses one rectangle, the same for the whole batch.

    ``embed.pooling.drop_block`` is the definition of the form in use.

    Args:
        channels: C; rows are 2 C long.
        height, width: shares of the map that the rectangle takes ("r_h", "r_w" in the paper).
    """

    takes = "map"

    def __init__(self, *, channels: int, height: float = 0.33, width: float = 1.0) -> None:
        super().__init__()
        self.dimension = 2 * channels
        self.height, self.width = height, width

    def forward(self, features: Any) -> Any:
        """Return (B, 2 C) of (B, C, H, W)."""
        second = features
        if self.training:
            rows, columns = features.shape[2:]
            high, wide = max(1, round(self.height * rows)), max(1, round(self.width * columns))
            top = int(torch.randint(0, rows - high + 1, ()))
            left = int(torch.randint(0, columns - wide + 1, ()))
            mask = torch.ones(rows, columns, device=features.device, dtype=features.dtype)
            mask[top : top + high, left : left + wide] = 0
            second = features * mask
        return torch.cat([features.mean(dim=(2, 3)), second.amax(dim=(2, 3))], dim=1)

    def definition(self) -> BatchDropBlock:
        """Return the same in numpy."""
        return BatchDropBlock()
