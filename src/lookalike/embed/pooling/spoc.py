"""Sum-pooled convolutional features (SPoC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...types import Vectors
from .arrays import Wide, as_map

__all__ = ["SPoC", "centre_prior"]


def centre_prior(height: int, width: int) -> Wide:
    """Return (height, width) weights in (0, 1]: a Gaussian around the middle of the map.

    Its deviation is a third of the distance from the middle to the nearest border.
    """
    y = np.arange(height) - (height - 1) / 2
    x = np.arange(width) - (width - 1) / 2
    sigma = min(height, width) / 2 / 3
    return np.asarray(np.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / (2 * sigma**2)))


@dataclass(frozen=True, kw_only=True)
class SPoC:
    """Each channel's sum over all positions, those in the middle of the picture weighing more.

    Args:
        centred: weigh by ``centre_prior``; without it every position counts the same.

    Source: Babenko, Lempitsky, "Aggregating deep convolutional features for image retrieval", ICCV 2015,
    arXiv:1510.07493, sum pooling with the centering prior. The Gaussian is centred between the first and the
    last position, where the paper's H / 2 with positions from 1 is half a position off, so that a mirrored map gives
    the same. The paper's whitening follows separately.
    """

    takes: ClassVar = "map"

    centred: bool = True

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, C) float32, not normalised, of (B, C, H, W).

        Raises:
            BadShape: not a feature map, or one without positions.
        """
        maps = as_map(features)
        batch, channels, height, width = maps.shape
        weights = centre_prior(height, width) if self.centred else np.ones((height, width))
        flat = maps.reshape(batch, channels, height * width)
        return np.asarray(flat @ weights.ravel(), np.float32)  # float64 weights: summed in float64
