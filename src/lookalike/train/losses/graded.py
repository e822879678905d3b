"""For labels that overlap more or less: similarities in the proportions of what images have in common."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Graded"]


class Graded(nn.Module):
    """Cross-entropy between the softmax of an image's similarities and its shares of common labels.

    For an image i with overlaps g_ij in [0, 1] (1 on equal label sets, 0 on nothing in common) the target is
    ``g_ij / Σ_j g_ij`` and the prediction ``softmax_j(s_ij / temperature)``, over j ≠ i. With overlaps of 0 and 1 it is
    the supervised contrastive loss (L_out). Images that have nothing in common with any other are left out; pairs whose
    overlap is NaN are not compared.

    Args:
        temperature: > 0.

    Source: Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, eq. 2, with soft targets.
    """

    def __init__(self, *, temperature: float = 0.1) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"the temperature must be above 0, got {temperature}")
        self.temperature = temperature

    def forward(self, embeddings: Any, overlap: Any, indices_tuple: Any = None) -> Any:
        """Return the mean over the images that have anything in common with another; ``overlap`` is (B, B)."""
        vectors = F.normalize(embeddings)
        unknown = torch.isnan(overlap) | torch.eye(len(overlap), dtype=torch.bool, device=overlap.device)
        targets = overlap.masked_fill(unknown, 0.0).to(vectors.dtype)  # (B, B)
        sums = targets.sum(dim=1)
        some = sums > 0
        if not some.any():
            return embeddings.sum() * 0
        logits = (vectors @ vectors.T / self.temperature).masked_fill(unknown, float("-inf"))
        # 0 · −inf is NaN: what is not compared must not be multiplied.
        each = -(torch.log_softmax(logits, dim=1).masked_fill(unknown, 0.0) * targets).sum(dim=1)
        return (each[some] / sums[some]).mean()
