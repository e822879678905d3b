"""Regional GeM, then GeM+: the pooling of SuperGlobal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import BadShape
from ...types import Vectors
from .arrays import Floats, as_map, positive
from .gem import GeM

__all__ = ["RegionalGeM"]


@dataclass(frozen=True, kw_only=True)
class RegionalGeM:
    """Each position averaged with the generalised mean of the window around it, then GeM with a higher p.

    The first step tells a spot that is active alone from one amid others; both need no training.

    Args:
        p: of the final GeM ("GeM+"), above 0.
        regional_p: of the windows, above 0.
        window: side of the windows in positions, odd.
        eps: the floor of the final GeM, above 0.

    Source: Shao, Chen, Karpur, Cui, Araujo, Cao, "Global features are all you need for image retrieval and reranking"
    (SuperGlobal), ICCV 2023, arXiv:2308.06954, with the constants and the reflected borders of the authors' code
    (ShihaoShao-GH/SuperGlobal, ``rgem.py`` and ``gemp.py``). Values under 0, where that code gives NaN, are raised to
    0; maps smaller than the border, which it refuses, are reflected as often as needed.
    """

    takes: ClassVar = "map"

    p: float = 4.6
    regional_p: float = 2.5
    window: int = 5
    eps: float = 1e-8

    def __post_init__(self) -> None:
        for name in ("p", "regional_p", "eps"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        if not isinstance(self.window, int) or self.window < 1 or self.window % 2 == 0:
            raise BadShape(f"window should be an odd whole number of at least 1, got {self.window!r}.")

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, C) float32, not normalised, at least ``eps``, of (B, C, H, W).

        Raises:
            BadShape: not a feature map, or one without positions.
        """
        maps = np.maximum(as_map(features), 0)
        return GeM(p=self.p, eps=self.eps)(0.5 * self._windows(maps) + 0.5 * maps)

    def _windows(self, maps: Floats) -> Floats:
        """Return the generalised mean of the window around each position."""
        border = self.window // 2
        peak = maps.max(axis=(2, 3), keepdims=True)  # as in power_mean
        safe = np.where(peak > 0, peak, np.float32(1))
        with np.errstate(invalid="ignore", under="ignore"):
            raised = (maps / safe).astype(np.float64) ** self.regional_p
            padded = np.pad(raised, ((0, 0), (0, 0), (border, border), (border, border)), mode="reflect")
            height, width = maps.shape[2:]
            rows = np.sum([padded[:, :, i : i + height] for i in range(self.window)], axis=0)
            total = np.sum([rows[..., i : i + width] for i in range(self.window)], axis=0)
            return np.asarray((total / self.window**2) ** (1 / self.regional_p) * safe, np.float32)
