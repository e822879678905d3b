"""The mean and the maximum over all positions."""

from __future__ import annotations

from typing import Any

from torch import nn

from ...embed.pooling.average import Average
from ...embed.pooling.maximum import Max

__all__ = ["AveragePool", "MaxPool"]


class AveragePool(nn.Module):
    """The mean of each channel."""

    takes = "map"

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.dimension = channels

    def forward(self, features: Any) -> Any:
        """Return (B, C) of (B, C, H, W)."""
        return features.mean(dim=(2, 3))

    def definition(self) -> Average:
        """Return the same in numpy."""
        return Average()


class MaxPool(nn.Module):
    """The maximum of each channel."""

    takes = "map"

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.dimension = channels

    def forward(self, features: Any) -> Any:
        """Return (B, C) of (B, C, H, W)."""
        return features.amax(dim=(2, 3))

    def definition(self) -> Max:
        """Return the same in numpy."""
        return Max()
