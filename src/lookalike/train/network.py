"""The network that is trained: backbone, pooling, head, vector."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..errors import BadInput
from .backbones import Backbone
from .heads import create_pooling
from .settings import Settings

__all__ = ["ForUse", "Network"]


class Network(nn.Module):
    """From pixels to vectors that are not scaled; ``ForUse`` scales them.

    Args:
        backbone: what gives features.
        settings: pooling, head and dimensions.

    Attributes:
        dimension: of the vector.
        auxiliary_dimension: of what a pooling wants classified beside (CGD); 0 for nothing.
    """

    def __init__(self, backbone: Backbone, settings: Settings) -> None:
        super().__init__()
        self.backbone = backbone.network
        self.pooling = create_pooling(
            settings.pooling, gives=backbone.gives, channels=backbone.channels, skip=backbone.skip
        )
        width = int(self.pooling.dimension)
        self.dimension = settings.dimensions or width
        self.auxiliary_dimension = int(getattr(self.pooling, "auxiliary_dimension", 0))
        self.head = _head(settings.head, width, self.dimension, fixed=settings.dimensions == 0)
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(backbone.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Any) -> Any:
        """Return (B, D) of (B, 3, S, S) in [0, 1]."""
        return self.vectors((pixels - self.mean) / self.std)

    def vectors(self, normalised: Any) -> Any:
        """Return (B, D) of pixels that the mean was taken off already."""
        return self.head(self.pooling(self.backbone(normalised)).float())

    @property
    def auxiliary(self) -> Any:
        """Return what the pooling wants classified beside, of the last batch."""
        return self.pooling.auxiliary


class ForUse(nn.Module):
    """The network as it is exported: from normalised pixels to rows of unit norm."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: Any) -> Any:
        """Return (B, D) of unit norm."""
        return nn.functional.normalize(self.network.vectors(pixel_values))


def _head(name: str, width: int, dimension: int, *, fixed: bool) -> Any:
    """Return what makes the vector of what was pooled.

    ``bnneck``: batch normalisation behind the projection, without a shift (Luo et al., "Bag of tricks", CVPRW 2019).
    """
    if name == "mlp":
        return nn.Sequential(
            nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(inplace=True), nn.Linear(width, dimension)
        )
    projection: Any = nn.Identity() if fixed else nn.Linear(width, dimension)
    if name == "linear":
        return projection
    if name != "bnneck":
        raise BadInput(f"unknown head {name!r}.", hint="It is linear, bnneck or mlp.")
    neck = nn.BatchNorm1d(dimension)
    neck.bias.requires_grad_(False)
    return nn.Sequential(projection, neck)
