"""The difference hash: where it gets brighter to the right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .hashes import Grey, Hashing

__all__ = ["DifferenceHash", "dhash"]


@dataclass(frozen=True, slots=True)
class DifferenceHash:
    """One bit for each two neighbours of a tiny picture: is the right one brighter?

    Source: Krawetz, "Kind of Like That", hackerfactor.com 2013; equals imagehash's ``dhash``.

    Attributes:
        side: the hash has side x side bits.
        version: changes when the formula does.
    """

    side: int = 8
    version: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Return side + 1, side."""
        return self.side + 1, self.side

    def describe(self, grey: Grey) -> npt.NDArray[np.bool_]:
        """Return (B, side x side)."""
        return np.asarray(grey[:, :, 1:] > grey[:, :, :-1]).reshape(len(grey), -1)


def dhash() -> Hashing:
    """Return 64 bits: where it gets brighter to the right."""
    return Hashing("dhash", DifferenceHash())
