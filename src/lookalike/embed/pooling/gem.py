"""Generalised mean pooling (GeM)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import BadShape
from ...types import Vectors
from .arrays import Floats, as_map, as_option, positive

__all__ = ["GeM", "power_mean"]


def power_mean(values: npt.NDArray[Any], p: float | npt.NDArray[Any], axis: int) -> Floats:
    """Return mean(values ** p) ** (1 / p) along an axis, for values that are not negative.

    Divided by their maximum first, values ** p can neither over- nor underflow as a whole, for any p.
    """
    peak = values.max(axis=axis, keepdims=True)
    safe = np.where(peak > 0, peak, 1)
    with np.errstate(invalid="ignore", under="ignore"):
        mean = ((values / safe) ** p).mean(axis=axis, keepdims=True, dtype=np.float64)
        return np.asarray((mean ** (1 / p) * safe).squeeze(axis), np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class GeM:
    """Each channel's generalised mean, mean(x ** p) ** (1 / p), over all positions.

    ``p = 1`` is average pooling and ``p -> inf`` is max pooling; values between weigh strong activations more, which is
    what finding the same thing in another picture wants.

    Args:
        p: above 0; one number, or learned ones, (C,).
        eps: the floor that lower values are raised to, above 0.

    Example:
        >>> GeM(p=1)(np.array([[[[1.0, 2.0]]]])).tolist()
        [[1.5]]

    Source: Radenovic, Tolias, Chum, "Fine-tuning CNN image retrieval with no human annotation", TPAMI 2019,
    arXiv:1711.02512, the equation of generalised-mean pooling with one p or one a channel; the floor is that of the
    authors' code (cirtorch, ``eps=1e-6``). Differs in the scaling by the maximum, which changes rounding only.
    """

    takes: ClassVar = "map"

    p: float | npt.NDArray[Any] = 3.0
    eps: float = 1e-6

    def __post_init__(self) -> None:
        object.__setattr__(self, "eps", positive("eps", self.eps))
        if np.ndim(self.p) == 0:
            object.__setattr__(self, "p", positive("p", self.p))
            return
        p = as_option("p", self.p, (None,))
        if not (p > 0).all():
            raise BadShape(f"p should be above 0 for every channel, got one of {p.min()}.")
        object.__setattr__(self, "p", p)

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, C) float32, not normalised, at least ``eps``, of (B, C, H, W).

        Raises:
            BadShape: not a feature map, one without positions, or of another number of channels than ``p``.
        """
        maps = as_map(features)
        p: Any = self.p
        if isinstance(p, np.ndarray):
            if len(p) != maps.shape[1]:
                raise BadShape(f"p is of {len(p)} channels, but the feature map has {maps.shape[1]}.")
            p = p[:, None]
        flat = np.maximum(maps, np.float32(self.eps)).reshape(*maps.shape[:2], maps.shape[2] * maps.shape[3])
        return power_mean(flat, p, axis=2)
