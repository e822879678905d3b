"""Average precision with sigmoids for steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["SmoothAP"]


class SmoothAP(nn.Module):
    """``1 − AP`` of each image against the others of the batch, with ranks counted by sigmoids.

    For an image i, and P its positives: ``AP_i = 1/|P| Σ_{j ∈ P} (1 + Σ_{k ∈ P} g_kj) / (1 + Σ_{k ≠ i} g_kj)`` with
    ``g_kj = σ((s_ik − s_ij) / temperature)`` and k ≠ j. Images without a positive in the batch are left out.

    Args:
        temperature: of the sigmoid ("τ"); smaller is nearer to true ranks, with less of a gradient.

    Cost: O(B³) time and memory: 64 MB at B = 256.

    Source: Brown et al., "Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval", ECCV 2020, eq. 6. Our
    own, since that of pytorch-metric-learning 2.9 counts the wrong positives unless a batch holds as many classes as
    images a class.
    """

    def __init__(self, *, temperature: float = 0.01) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"the temperature must be above 0, got {temperature}")
        self.temperature = temperature

    def forward(self, embeddings: Any, labels: Any, indices_tuple: Any = None) -> Any:
        """Return the mean over images; without labels, ``indices_tuple`` holds the pairs as PML has them."""
        vectors = F.normalize(embeddings)
        scores = vectors @ vectors.T  # (B, B)
        alike, counted = _who(len(vectors), labels, indices_tuple, vectors.device)
        above = torch.sigmoid((scores[:, :, None] - scores[:, None, :]) / self.temperature)  # (i, k, j)
        above = above * (1 - torch.eye(len(vectors), device=vectors.device))  # k is not j
        among = 1 + (above * alike[:, :, None]).sum(dim=1)  # (i, j)
        overall = 1 + (above * counted[:, :, None]).sum(dim=1)
        positives = alike.sum(dim=1)
        some = positives > 0
        if not some.any():
            return embeddings.sum() * 0
        precision = ((among / overall) * alike).sum(dim=1)[some] / positives[some]
        return (1 - precision).mean()


def _who(count: int, labels: Any, indices_tuple: Any, device: Any) -> tuple[Any, Any]:
    """Return (B, B) who is alike, and who counts at all, as 0 and 1; nobody beside himself."""
    self_pairs = torch.eye(count, dtype=torch.bool, device=device)
    if labels is not None:
        alike = (labels[:, None] == labels[None]) & ~self_pairs
        return alike.float(), (~self_pairs).float()
    alike = torch.zeros(count, count, dtype=torch.bool, device=device)
    counted = torch.zeros_like(alike)
    a, p, b, n = indices_tuple
    alike[a, p] = True
    counted[a, p] = True
    counted[b, n] = True
    return alike.float(), counted.float()
