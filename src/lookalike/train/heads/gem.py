"""Generalised mean pooling with a power that is learned."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ...embed.pooling.gem import GeM

__all__ = ["GeMPool"]


class GeMPool(nn.Module):
    """``mean(x ** p) ** (1 / p)`` over all positions; ``embed.pooling.gem`` is the definition.

    Args:
        channels: C.
        p: where the power starts.
        each: one power a channel, not one for all.
        learned: whether it is trained at all.
        eps: floor of the values, which keeps the gradient finite at zero.

    Numerics: computed in float32 under autocast, since x ** 3 overflows float16 above 40.
    """

    takes = "map"

    def __init__(
        self, *, channels: int, p: float = 3.0, each: bool = False, learned: bool = True, eps: float = 1e-6
    ) -> None:
        super().__init__()
        self.dimension = channels
        self.eps = eps
        self.p = nn.Parameter(torch.full((channels if each else 1,), float(p)), requires_grad=learned)

    def forward(self, features: Any) -> Any:
        """Return (B, C) of (B, C, H, W)."""
        values = features.float().clamp_min(self.eps)
        p = self.p.view(1, -1, 1, 1)
        return values.pow(p).mean(dim=(2, 3)).pow(1 / self.p)

    def definition(self) -> GeM:
        """Return the same in numpy."""
        p = self.p.detach().cpu().numpy()
        return GeM(p=p if len(p) > 1 else float(p[0]), eps=self.eps)
