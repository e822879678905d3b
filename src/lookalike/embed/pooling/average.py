"""Average pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...types import Vectors
from .arrays import as_map

__all__ = ["Average"]


@dataclass(frozen=True, kw_only=True)
class Average:
    """Each channel's mean over all positions; what most classifiers were trained with.

    Example:
        >>> Average()(np.array([[[[1.0, 2.0]]]])).tolist()
        [[1.5]]

    Source: Lin, Chen, Yan, "Network in network", 2013, section 3.2.
    """

    takes: ClassVar = "map"

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, C) float32, not normalised, of (B, C, H, W).

        Raises:
            BadShape: not a feature map, or one without positions.
        """
        return np.asarray(as_map(features).mean(axis=(2, 3), dtype=np.float64), np.float32)
