"""Proxy-NCA, as first published."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["ProxyNCA"]


class ProxyNCA(nn.Module):
    """A proxy a class; the true one against all others, by squared distance of unit vectors.

    ``−log(exp(−d(x, p)) / Σ_{z ≠ p} exp(−d(x, z)))``: the true proxy is not in the sum, so the loss may be negative.

    Args:
        num_classes: C, at least 2.
        embedding_size: D.
        scale: of the unit vectors; the paper's later code takes 3, so that exp(−d) spans enough.

    Source: Movshovitz-Attias et al., "No Fuss Distance Metric Learning using Proxies", ICCV 2017, eq. 4 and 6.
    """

    def __init__(self, num_classes: int, embedding_size: int, *, scale: float = 3.0) -> None:
        super().__init__()
        self.scale = scale
        self.proxies = nn.Parameter(torch.randn(num_classes, embedding_size) / 8)

    def forward(self, embeddings: Any, labels: Any, indices_tuple: Any = None) -> Any:
        """Return the mean over the batch."""
        vectors, proxies = self.scale * F.normalize(embeddings), self.scale * F.normalize(self.proxies)
        near = -(torch.cdist(vectors, proxies) ** 2)  # (B, C)
        rows = torch.arange(len(labels), device=labels.device)
        others = near.index_put((rows, labels), near.new_full((len(labels),), float("-inf")))
        return (torch.logsumexp(others, dim=1) - near[rows, labels]).mean()
