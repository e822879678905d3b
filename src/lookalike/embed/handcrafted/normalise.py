"""Normalising rows of descriptors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["centred", "powered"]


def powered(rows: npt.NDArray[np.float32], power: float) -> npt.NDArray[np.float32]:
    """Return sign(x) |x| ** power of each component, rows scaled to unit norm; a row of zeros stays one.

    A power under 1 keeps a few strong components from deciding alone. With 0.5, the dot product of two histograms is
    their Bhattacharyya coefficient (Arandjelovic, Zisserman, "Three things everyone should know to improve object
    retrieval", CVPR 2012).
    """
    peak = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / np.where(peak > 0, peak, 1)  # so that the power of tiny values is not lost to underflow
    raised = np.sign(scaled) * np.abs(scaled) ** power
    norm = np.linalg.norm(raised, axis=1, keepdims=True)
    return np.asarray(raised / np.where(norm > 0, norm, 1), np.float32)


def centred(
    mean: npt.NDArray[np.float32], spread: npt.NDArray[np.float32], typical: tuple[float, float]
) -> npt.NDArray[np.float32]:
    """Return (B, 2 N): means and spreads (B, N), less those of a typical picture, rows scaled to unit norm.

    What all pictures have in common would make the angle between any two of them small. A row of zeros stays one.
    """
    rows = np.concatenate([mean - typical[0], spread - typical[1]], axis=1)
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norm > 0, norm, 1), np.float32)
