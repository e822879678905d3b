"""The siamese loss, over cosines."""

from __future__ import annotations

from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import ContrastiveLoss

__all__ = ["CosineContrastive"]


class CosineContrastive(ContrastiveLoss):
    """PML's contrastive loss with cosines for distances: ``relu(pos_margin − s)`` and ``relu(s − neg_margin)``.

    Args:
        pos_margin: the cosine that alike pairs should reach.
        neg_margin: the cosine that others should stay below.
    """

    def __init__(self, pos_margin: float = 1.0, neg_margin: float = 0.5) -> None:
        super().__init__(pos_margin=pos_margin, neg_margin=neg_margin, distance=CosineSimilarity())
