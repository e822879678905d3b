"""The general angular margin, of which SphereFace, ArcFace and CosFace are cases."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["AngularMargin"]


class AngularMargin(nn.Module):
    """Cross-entropy of scaled cosines, where the true class's becomes cos(m1 θ + m2) − m3.

    SphereFace is (m1, 0, 0), ArcFace (1, m2, 0), CosFace (1, 0, m3). Beyond θ = π the cosine would rise again; it goes
    on falling with the slope of −(2k + 1) as SphereFace's ψ does: ψ(φ) = (−1)^k cos φ − 2k for φ in [kπ, (k + 1)π].

    Args:
        num_classes: C.
        embedding_size: D.
        m1: what the angle is multiplied by, >= 1.
        m2: what is added to it, radians, >= 0.
        m3: what is taken off the cosine, >= 0.
        scale: of the cosines, before the softmax ("s" in the paper).

    Source: Deng, Guo, Xue, Zafeiriou, "ArcFace", CVPR 2019, eq. 4. Deviation: ψ beyond π, where the paper's code
    switches to CosFace; the two agree where the angle is below π − m2, which is almost always.
    """

    def __init__(
        self,
        num_classes: int,
        embedding_size: int,
        *,
        m1: float = 1.0,
        m2: float = 0.0,
        m3: float = 0.0,
        scale: float = 30.0,
    ) -> None:
        super().__init__()
        if m1 < 1 or m2 < 0 or m3 < 0 or scale <= 0:
            raise ValueError(f"m1 >= 1, m2 >= 0, m3 >= 0 and scale > 0 are needed, got {m1}, {m2}, {m3}, {scale}")
        self.m1, self.m2, self.m3, self.scale = m1, m2, m3, scale
        self.W = nn.Parameter(torch.empty(num_classes, embedding_size))  # (C, D); PML calls it W too
        nn.init.normal_(self.W, std=embedding_size**-0.5)

    def forward(self, embeddings: Any, labels: Any, indices_tuple: Any = None) -> Any:
        """Return the mean over the batch; (B, D) embeddings of any norm, (B,) classes."""
        cosines = F.linear(F.normalize(embeddings), F.normalize(self.W))  # (B, C)
        rows = torch.arange(len(labels), device=labels.device)
        true = cosines[rows, labels]
        # arccos has no slope at ±1: a vector that equals its class's centre would make NaN.
        angle = torch.acos(true.clamp(-1 + 1e-7, 1 - 1e-7)) * self.m1 + self.m2
        turns = torch.floor(angle.detach() / math.pi)
        moved = torch.where(turns % 2 == 0, 1.0, -1.0) * torch.cos(angle) - 2 * turns - self.m3
        logits = cosines.index_put((rows, labels), moved.to(cosines.dtype)) * self.scale
        return F.cross_entropy(logits, labels)
