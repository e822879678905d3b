"""Multi-layer aggregation: what shallow and deep layers see, in one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import BadShape
from ...protocols import Pooling
from ...types import Vectors
from .arrays import as_option, l2
from .gem import GeM

__all__ = ["MultiLayer"]


@dataclass(frozen=True, kw_only=True, eq=False)
class MultiLayer:
    """Feature maps of several layers, each pooled and of unit norm, weighed and joined to one row of unit norm.

    Shallow layers keep texture and colour that deep ones have lost. The similarity of two rows is the mean of the
    layers' similarities, weighed by the squares of the weights.

    Args:
        pooling: how each map becomes a row.
        weights: one a layer, at least 0; None means all the same.

    Source: none in particular; it is the joining of branches of CGD (arXiv:1903.10663) applied to layers.
    """

    takes: ClassVar = "maps"

    pooling: Pooling = field(default_factory=GeM)
    weights: npt.NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if self.pooling.takes != "map":
            raise BadShape(f"a layer is pooled by something that takes a map, but this takes {self.pooling.takes}.")
        if self.weights is not None:
            weights = as_option("weights", self.weights, (None,))
            if (weights < 0).any() or not weights.any():
                raise BadShape("weights should be at least 0, and one of them above.")
            object.__setattr__(self, "weights", weights)

    def __call__(self, features: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, sum of Di) float32 rows of unit norm of several (B, Ci, Hi, Wi).

        Raises:
            BadShape: no maps, another number than ``weights``, of differing batches, or one that cannot be pooled.
        """
        rows = [self.pooling(each) for each in features]
        if not rows or len({len(each) for each in rows}) != 1:
            raise BadShape(f"layers should be of the same images, got batches of {[len(each) for each in rows]}.")
        weights = np.ones(len(rows)) if self.weights is None else self.weights
        if len(weights) != len(rows):
            raise BadShape(f"there are {len(weights)} weights for {len(rows)} layers.")
        parts = [weight * l2(each) for weight, each in zip(weights, rows, strict=True)]
        return np.asarray(l2(np.concatenate(parts, axis=1)), np.float32)
