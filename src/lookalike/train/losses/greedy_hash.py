"""A hashing loss: vectors whose signs classify."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["GreedyHash"]


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Any) -> Any:
        return torch.where(values >= 0, 1.0, -1.0).to(values.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0]  # as if the sign were the value itself


class GreedyHash(nn.Module):
    """Cross-entropy of a linear classifier over the signs of the vector, whose gradient passes the sign unchanged.

    A penalty pulls each value towards its sign: ``penalty · mean |h − sign h|³``. The vectors' signs are then bits:
    ``1 − Hamming / D`` ranks almost as the vectors do.

    Args:
        num_classes: C.
        embedding_size: D, which becomes the number of bits.
        penalty: weight of the penalty ("α" in the paper).

    Source: Su, Zhang, Han, Tian, "Greedy Hash", NeurIPS 2018, algorithm 1.
    """

    def __init__(self, num_classes: int, embedding_size: int, *, penalty: float = 0.1) -> None:
        super().__init__()
        self.penalty = penalty
        self.classifier = nn.Linear(embedding_size, num_classes, bias=False)

    def forward(self, embeddings: Any, labels: Any, indices_tuple: Any = None) -> Any:
        """Return the mean over the batch."""
        signs = _Sign.apply(embeddings)
        away = (embeddings - signs.detach()).abs().pow(3).mean()
        return F.cross_entropy(self.classifier(signs), labels) + self.penalty * away
