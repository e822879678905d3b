"""Rows of unit length, whatever the model gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelError
from ..types import Vectors

__all__ = ["unit"]


def unit(rows: npt.NDArray[Any], *, source: str) -> Vectors:
    """Return the rows scaled to unit L2 norm.

    A row of zeros (a flat image seen by a gradient descriptor) becomes the uniform row, so that every image has a
    direction and two flat images are alike.

    Args:
        rows: (B, D), any real type; not changed.
        source: what made the rows, for the message.

    Returns:
        (B, D) float32, C-contiguous.

    Raises:
        ModelError: a value is not finite.
    """
    wide = rows.astype(np.float64)
    bad = ~np.isfinite(wide).all(axis=1)
    if bad.any():
        raise ModelError(
            f"{source} gave NaN or infinity for {int(bad.sum())} of {len(wide)} images.",
            hint="Check its preprocessing; a float16 model can overflow where the float32 one does not.",
        )
    peak = np.abs(wide).max(axis=1, keepdims=True, initial=0.0)
    wide = np.divide(wide, peak, out=np.ones_like(wide), where=peak > 0)  # so that squares neither over- nor underflow
    return np.ascontiguousarray(wide / np.linalg.norm(wide, axis=1, keepdims=True), dtype=np.float32)
