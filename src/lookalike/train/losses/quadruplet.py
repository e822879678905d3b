"""The quadruplet loss."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from pytorch_metric_learning.utils import loss_and_miner_utils as lmu
from torch import nn

__all__ = ["Quadruplet"]


class Quadruplet(nn.Module):
    """A triplet loss, plus: two images of two other classes lie further apart than an alike pair.

    ``relu(d(a, p)² − d(a, n)² + margin) + relu(d(a, p)² − d(n, m)² + second)``, the first over all triplets, the second
    over all alike pairs and all pairs (n, m) of different classes, neither of which is the pair's; each is averaged
    over its terms that are not zero. Distances are of unit vectors.

    Args:
        margin: of the triplet ("α1" in the paper).
        second: of the second part ("α2"), smaller.

    Source: Chen, Chen, Zhang, Huang, "Beyond Triplet Loss: a Deep Quadruplet Network", CVPR 2017, eq. 6. Deviations:
    fixed margins; means over terms that are not zero.
    """

    def __init__(self, *, margin: float = 0.2, second: float = 0.1) -> None:
        super().__init__()
        self.margin, self.second = margin, second

    def forward(self, embeddings: Any, labels: Any, indices_tuple: Any = None) -> Any:
        """Return the loss; without labels, ``indices_tuple`` holds pairs or triplets as PML has them."""
        vectors = F.normalize(embeddings)
        squared = (2 - 2 * vectors @ vectors.T).clamp_min(0)  # (B, B)
        anchor, positive, negative = lmu.convert_to_triplets(indices_tuple, labels, t_per_anchor="all")
        first = F.relu(squared[anchor, positive] - squared[anchor, negative] + self.margin)
        return _mean(first) + _mean(self._second(squared, labels, indices_tuple))

    def _second(self, squared: Any, labels: Any, indices_tuple: Any) -> Any:
        a, p, n, m = lmu.convert_to_pairs(indices_tuple, labels)
        keep = a < p if labels is not None else a >= 0  # each pair once
        a, p = a[keep], p[keep]
        if labels is None:
            free = (n[None] != a[:, None]) & (n[None] != p[:, None]) & (m[None] != a[:, None]) & (m[None] != p[:, None])
        else:
            keep = n < m
            n, m = n[keep], m[keep]
            free = (labels[n][None] != labels[a][:, None]) & (labels[m][None] != labels[a][:, None])
        terms = F.relu(squared[a, p][:, None] - squared[n, m][None] + self.second)  # (P, N)
        return terms[free]


def _mean(terms: Any) -> Any:
    """Return the mean over what is not zero; 0 of nothing."""
    return terms.sum() / torch.count_nonzero(terms).clamp_min(1)
