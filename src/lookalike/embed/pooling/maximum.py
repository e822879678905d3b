"""Maximum activations of convolutions (MAC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...types import Vectors
from .arrays import as_map

__all__ = ["Max"]


@dataclass(frozen=True, kw_only=True)
class Max:
    """Each channel's maximum over all positions (MAC): whether a thing is there, wherever and however large it is.

    Example:
        >>> Max()(np.array([[[[1.0, 2.0]]]])).tolist()
        [[2.0]]

    Source: Tolias, Sicre, Jegou, "Particular object retrieval with integral max-pooling of CNN activations",
    ICLR 2016, section 3.1. Negative values are taken as they are; the paper has none, after ReLU.
    """

    takes: ClassVar = "map"

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, C) float32, not normalised, of (B, C, H, W).

        Raises:
            BadShape: not a feature map, or one without positions.
        """
        return np.asarray(as_map(features).max(axis=(2, 3)))
