"""A transformer's tokens to one row."""

from __future__ import annotations

from typing import Any

from torch import nn

from ...embed.pooling.tokens import ClassToken, PatchMean

__all__ = ["ClassTokenPool", "PatchMeanPool"]


class ClassTokenPool(nn.Module):
    """The class token."""

    takes = "tokens"

    def __init__(self, *, channels: int, skip: int = 1) -> None:
        super().__init__()
        self.dimension = channels
        self.skip = skip

    def forward(self, tokens: Any) -> Any:
        """Return (B, C) of (B, T, C)."""
        return tokens[:, 0]

    def definition(self) -> ClassToken:
        """Return the same in numpy."""
        return ClassToken()


class PatchMeanPool(nn.Module):
    """The mean of the patches' tokens."""

    takes = "tokens"

    def __init__(self, *, channels: int, skip: int = 1) -> None:
        super().__init__()
        self.dimension = channels
        self.skip = skip

    def forward(self, tokens: Any) -> Any:
        """Return (B, C) of (B, T, C)."""
        return tokens[:, self.skip :].mean(dim=1)

    def definition(self) -> PatchMean:
        """Return the same in numpy."""
        return PatchMean(skip=self.skip)
