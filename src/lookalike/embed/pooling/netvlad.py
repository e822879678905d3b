"""NetVLAD: residuals to learned centres, softly assigned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import BadShape
from ...types import Vectors
from .arrays import as_map, as_option, l2, positive, softmax

__all__ = ["NetVLAD"]


@dataclass(frozen=True, kw_only=True, eq=False)
class NetVLAD:
    """For each of K centres the sum of what positions differ from it, by how much each belongs to it.

    Args:
        centres: (K, C) the centres c.
        weights: (K, C) of the 1 x 1 convolution that assigns; None means 2 ``sharpness`` c.
        biases: (K,) of the same; None means -``sharpness`` ||c||^2, or zeros when ``weights`` are given.
        sharpness: how hard the assignment is without ``weights`` ("alpha in the paper"), above 0.
        unit_input: scale each position's C values to unit norm first.

    Source: Arandjelovic, Gronat, Torii, Pajdla, Sivic, "NetVLAD: CNN architecture for weakly supervised place
    recognition", CVPR 2016, arXiv:1511.07247, equations (3) and (4) with w = 2 alpha c and b = -alpha ||c||^2, then
    intra-normalisation and unit norm. The widespread port lyakaap/NetVLAD-pytorch starts from b = -alpha ||c||
    instead; give ``weights`` and ``biases`` to reproduce it. The row lists the centres one after the other, C values
    each, as that port does.
    """

    takes: ClassVar = "map"

    centres: npt.NDArray[Any]
    weights: npt.NDArray[Any] | None = None
    biases: npt.NDArray[Any] | None = None
    sharpness: float = 100.0
    unit_input: bool = True

    def __post_init__(self) -> None:
        centres = as_option("centres", self.centres, (None, None))
        object.__setattr__(self, "centres", centres)
        object.__setattr__(self, "sharpness", positive("sharpness", self.sharpness))
        if self.weights is not None:
            object.__setattr__(self, "weights", as_option("weights", self.weights, centres.shape))
        if self.biases is not None:
            object.__setattr__(self, "biases", as_option("biases", self.biases, centres.shape[:1]))

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, K * C) float32 rows of unit norm of (B, C, H, W).

        Raises:
            BadShape: not a feature map, one without positions, or of another number of channels than the centres.
        """
        maps = as_map(features)
        batch, channels, height, width = maps.shape
        if channels != self.centres.shape[1]:
            raise BadShape(f"the centres are of {self.centres.shape[1]} channels, but the feature map has {channels}.")
        # float64: a sum of residuals is the small difference of large numbers
        flat = maps.reshape(batch, channels, height * width).astype(np.float64)
        if self.unit_input:
            flat = l2(flat, axis=1)
        weights, biases = self._assignment()
        share = softmax(weights @ flat + biases[:, None], axis=1)  # (B, K, N)
        centres = self.centres.astype(np.float64)
        residuals = share @ flat.transpose(0, 2, 1) - share.sum(axis=2)[:, :, None] * centres  # (B, K, C)
        return np.asarray(l2(l2(residuals).reshape(batch, self.centres.size)), np.float32)

    def _assignment(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        centres = self.centres.astype(np.float64)
        if self.weights is None:
            weights, biases = 2 * self.sharpness * centres, -self.sharpness * (centres**2).sum(axis=1)
        else:
            weights, biases = self.weights.astype(np.float64), np.zeros(len(centres))
        return weights, biases if self.biases is None else self.biases.astype(np.float64)
