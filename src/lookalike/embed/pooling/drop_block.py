"""The two branches of a batch drop block network, as they are when it is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import BadShape
from ...types import Vectors
from .arrays import Floats, as_map, as_option, project
from .average import Average
from .maximum import Max

__all__ = ["BatchDropBlock"]


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchDropBlock:
    """The mean of all positions beside the maximum of all positions, each through its own layer.

    While training, the second branch loses one rectangle, the same for the whole batch, which makes it look at what the
    first does not need. In use nothing is dropped: this is that form, and it draws no random numbers.

    Args:
        global_weights: (D1, C) of the layer after the mean; None leaves the mean as it is.
        global_biases: (D1,); None means zeros.
        part_weights: (D2, C) of the layer after the maximum; None leaves the maximum as it is.
        part_biases: (D2,); None means zeros.

    A layer is linear, then ReLU; batch normalisation is expected to be folded into its weights and biases.

    Source: Dai, Chen, Gu, Zhu, Tan, "Batch DropBlock network for person re-identification and beyond", ICCV 2019,
    arXiv:1811.07130. The residual block in front of the second branch belongs to the network: give its
    output as ``part``. As in the authors' code (daizuozhuo/batch-dropblock-network) the branches are joined as they
    are, not scaled to unit norm each.
    """

    takes: ClassVar = "map"

    global_weights: npt.NDArray[Any] | None = None
    global_biases: npt.NDArray[Any] | None = None
    part_weights: npt.NDArray[Any] | None = None
    part_biases: npt.NDArray[Any] | None = None

    def __post_init__(self) -> None:
        for branch in ("global", "part"):
            weights, biases = getattr(self, f"{branch}_weights"), getattr(self, f"{branch}_biases")
            if weights is None:
                if biases is not None:
                    raise BadShape(f"{branch}_biases need {branch}_weights.")
                continue
            weights = as_option(f"{branch}_weights", weights, (None, None))
            object.__setattr__(self, f"{branch}_weights", weights)
            if biases is not None:
                object.__setattr__(self, f"{branch}_biases", as_option(f"{branch}_biases", biases, weights.shape[:1]))

    def __call__(self, features: npt.NDArray[Any], part: npt.NDArray[Any] | None = None) -> Vectors:
        """Return (B, D1 + D2) float32, not normalised, of (B, C, H, W).

        Args:
            features: what the first branch sees, and the second too when ``part`` is None.
            part: (B, C', H', W') what the second branch sees.

        Raises:
            BadShape: not feature maps, no positions, other channels than the weights', or batches that differ.
        """
        second = as_map(features if part is None else part)
        if len(second) != len(features):
            raise BadShape(f"features and part should be of the same images, got {len(features)} and {len(second)}.")
        mean = _layer(Average()(features), self.global_weights, self.global_biases, "global_weights")
        top = _layer(Max()(second), self.part_weights, self.part_biases, "part_weights")
        return np.concatenate([mean, top], axis=1)


def _layer(rows: Floats, weights: Floats | None, biases: Floats | None, name: str) -> Floats:
    if weights is None:
        return rows
    made = project(rows, weights, name)
    return np.asarray(np.maximum(made if biases is None else made + biases, 0), np.float32)
