"""Multi-scale aggregation: one picture's rows at several sizes, made one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ...errors import BadShape
from ...types import Vectors
from .arrays import l2, positive
from .gem import power_mean

__all__ = ["MultiScale"]

Method = Literal["max", "gem", "mean"]


@dataclass(frozen=True, kw_only=True)
class MultiScale:
    """The rows of one picture at several sizes, made one: by their maximum, generalised mean or mean.

    Args:
        method: ``max`` of the unit rows (Scale-GeM with p = infinity, what SuperGlobal uses), ``gem`` of the rows as
            they are, shifted so that the least component is 0, or ``mean`` of the unit rows.
        p: of ``gem``, above 0.

    Source: Shao, Chen, Karpur, Cui, Araujo, Cao, "Global features are all you need for image retrieval and reranking"
    (SuperGlobal), ICCV 2023, arXiv:2308.06954, Scale-GeM, and the authors' code (ShihaoShao-GH/SuperGlobal,
    ``sgem.py``). The shift of ``gem`` is each picture's own minimum; the code takes that of its whole batch,
    of one picture. ``mean`` is the common practice that the paper compares with; the code's own takes the rows as they
    are, here they are of unit norm first.
    """

    takes: ClassVar = "rows"

    method: Method = "max"
    p: float = 10.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", positive("p", self.p))
        if self.method not in ("max", "gem", "mean"):
            raise BadShape(f"method should be 'max', 'gem' or 'mean', got {self.method!r}.")

    def __call__(self, features: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, D) float32, not normalised, of (B, D) rows for each of at least one scale.

        Raises:
            BadShape: no rows, of differing shapes, or not floats.
        """
        rows = [np.asarray(each) for each in features]
        if not rows or len({each.shape for each in rows}) != 1 or rows[0].ndim != 2 or not rows[0].shape[1]:
            raise BadShape(f"scales should be rows (B, D) of one shape, got {[each.shape for each in rows]}.")
        if any(each.dtype.kind != "f" for each in rows):
            raise BadShape("scales should be rows of floats.")
        stack = np.stack(rows).astype(np.float32, copy=False)  # (S, B, D)
        if self.method == "gem":
            least = stack.min(axis=(0, 2), keepdims=True)
            return np.asarray(power_mean(stack - least, self.p, axis=0) + least[0], np.float32)
        unit = l2(stack)
        return np.asarray(unit.max(axis=0) if self.method == "max" else unit.mean(axis=0), np.float32)
