"""Plain classification."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import nn

__all__ = ["Softmax"]


class Softmax(nn.Module):
    """Cross-entropy of a linear classifier over the vectors as they are, not of unit norm.

    Args:
        num_classes: C.
        embedding_size: D.
        smoothing: share of the target that is spread over all classes, in [0, 1).
    """

    def __init__(self, num_classes: int, embedding_size: int, *, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.classifier = nn.Linear(embedding_size, num_classes)

    def forward(self, embeddings: Any, labels: Any, indices_tuple: Any = None) -> Any:
        """Return the mean over the batch."""
        return F.cross_entropy(self.classifier(embeddings), labels, label_smoothing=self.smoothing)
