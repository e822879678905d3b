"""The block mean hash: which of many blocks are bright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .hashes import Grey, Hashing

__all__ = ["BlockMeanHash", "blockmean_hash"]


@dataclass(frozen=True, slots=True)
class BlockMeanHash:
    """One bit a block: does its mean reach the median of all blocks?

    Source: Yang, Gu, Niu, "Block Mean Value Based Image Perceptual Hashing", IIH-MSP 2006, the first method (blocks
    that do not overlap), without its secret permutation. OpenCV's ``BlockMeanHash`` compares with the mean of the
    picture instead. That the median itself counts as reached matters: a drawing on white has a white median, which
    nothing is over.

    Attributes:
        side: the hash has side x side bits.
        block: pixels along each side of a block.
        version: changes when the formula does.
    """

    side: int = 16
    block: int = 8
    version: int = 2  # 1 asked for more than the median

    @property
    def size(self) -> tuple[int, int]:
        """Return side x block, twice."""
        return self.side * self.block, self.side * self.block

    def describe(self, grey: Grey) -> npt.NDArray[np.bool_]:
        """Return (B, side x side)."""
        blocks = grey.reshape(len(grey), self.side, self.block, self.side, self.block)
        sums = blocks.sum(axis=(2, 4), dtype=np.int64).reshape(len(grey), -1)
        return np.asarray(sums >= np.median(sums, axis=1, keepdims=True))


def blockmean_hash() -> Hashing:
    """Return 256 bits: which of 16 x 16 blocks are bright."""
    return Hashing("blockmean-hash", BlockMeanHash())
