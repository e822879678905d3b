"""Combined global descriptors (CGD)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import BadShape
from ...protocols import Pooling
from ...types import Vectors
from .arrays import as_option, l2, positive, project
from .average import Average
from .gem import GeM
from .maximum import Max

__all__ = ["CombinedDescriptors"]


@dataclass(frozen=True, kw_only=True, eq=False)
class CombinedDescriptors:
    """Several poolings side by side, each projected and of unit norm, joined to one row of unit norm.

    An ensemble for the price of one network: each pooling sees something else in the same feature map.

    Args:
        branches: letters, in the order of the row: S average (SPoC in the paper), M maximum (MAC), G GeM.
        p: of GeM, above 0.
        projections: for each branch (Di, C) weights of a linear layer without bias; None leaves the branch as it is.

    Source: Jun, Ko, Kim, Kim, Kim, "Combination of multiple global descriptors for image retrieval",
    arXiv:1903.10663, the main module. S is the mean, not the sum: after unit norm they are the same. GeM has
    a floor of 1e-6, which the paper has not; its feature maps follow a ReLU.
    """

    takes: ClassVar = "map"

    branches: str = "SG"
    p: float = 3.0
    projections: Sequence[npt.NDArray[Any]] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", positive("p", self.p))
        if not self.branches or set(self.branches) - set("SMG"):
            raise BadShape(f"branches should be some of the letters S, M and G, got {self.branches!r}.")
        if self.projections is None:
            return
        if len(self.projections) != len(self.branches):
            raise BadShape(f"{len(self.branches)} branches need as many projections, got {len(self.projections)}.")
        made = tuple(
            as_option(f"the projection of {letter}", each, (None, None))
            for letter, each in zip(self.branches, self.projections, strict=True)
        )
        object.__setattr__(self, "projections", made)

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, D) float32 rows of unit norm of (B, C, H, W); D is the sum of the branches'.

        Raises:
            BadShape: not a feature map, one without positions, or of another number of channels than a projection.
        """
        pools: dict[str, Pooling] = {"S": Average(), "M": Max(), "G": GeM(p=self.p)}
        parts = []
        for i, letter in enumerate(self.branches):
            rows: npt.NDArray[Any] = pools[letter](features)
            if self.projections is not None:
                rows = project(rows, np.asarray(self.projections[i]), f"the projection of {letter}")
            parts.append(l2(rows))
        return np.asarray(l2(np.concatenate(parts, axis=1)), np.float32)
