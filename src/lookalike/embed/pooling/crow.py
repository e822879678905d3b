"""Cross-dimensional weighting (CroW)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...types import Vectors
from .arrays import Wide, as_map, positive

__all__ = ["CroW"]


@dataclass(frozen=True, kw_only=True)
class CroW:
    """Each channel's sum, positions weighed by how active they are, channels by how rare they are.

    Args:
        a: the norm that spatial weights are scaled by.
        b: spatial weights are raised to 1 / b.

    Source: Kalantidis, Mellina, Osindero, "Cross-dimensional weighting for aggregated deep convolutional features",
    ECCV workshops 2016, arXiv:1512.04065; a channel that is 0 everywhere weighs 0, as in the
    authors' code (yahoo/crow), instead of the paper's small constant in the logarithm. Values under 0, of which
    the method has none (it follows a ReLU), are raised to 0.
    """

    takes: ClassVar = "map"

    a: float = 2.0
    b: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "a", positive("a", self.a))
        object.__setattr__(self, "b", positive("b", self.b))

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, C) float32, not normalised, of (B, C, H, W).

        Raises:
            BadShape: not a feature map, or one without positions.
        """
        maps = np.maximum(as_map(features), 0)
        flat = maps.reshape(*maps.shape[:2], maps.shape[2] * maps.shape[3]).astype(np.float64)
        sums = (flat @ self._spatial(flat)[:, :, None])[:, :, 0]
        return np.asarray(sums * _channel(flat), np.float32)

    def _spatial(self, flat: Wide) -> Wide:
        total = flat.sum(axis=1)  # (B, N)
        norm = np.linalg.norm(total, ord=self.a, axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            return np.asarray((total / np.where(norm > 0, norm, 1)) ** (1 / self.b))


def _channel(flat: Wide) -> Wide:
    active = (flat != 0).mean(axis=2)  # (B, C), the share of positions
    everything = active.sum(axis=1, keepdims=True)
    return np.asarray(np.log(np.divide(everything, active, out=np.ones_like(active), where=active > 0)))
