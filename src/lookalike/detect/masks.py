"""What the output of a segmentation network means: a class and a certainty for every pixel.

- whole numbers (1, H, W) or (1, 1, H, W): the class of each pixel, as DeepLab ends in an argmax;
- (1, C, H, W) or (1, H, W, C) with C > 1: a score of each class, whose softmax is the certainty where they are not
  probabilities already;
- one channel: how much each pixel belongs to the subject, its logistic where it is not in [0, 1] already.

Class 0 is the ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelError

__all__ = ["Mask", "read_mask"]


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A class for every pixel of the network's output.

    Attributes:
        classes: int64 (H, W); 0 is the ground.
        sure: (H, W) in [0, 1], of the class.
    """

    classes: npt.NDArray[np.int64]
    sure: npt.NDArray[np.float64]


def read_mask(output: npt.NDArray[Any], *, channels_last: bool) -> Mask:
    """Read one picture's output.

    Raises:
        ModelError: an array of another shape, or one that is not finite.
    """
    values = output[0] if output.ndim in (3, 4) and len(output) == 1 else output
    if values.ndim == 3 and values.shape[-1 if channels_last else 0] == 1:
        values = values[..., 0] if channels_last else values[0]
    if values.dtype.kind in "iu" and values.ndim == 2:
        return Mask(values.astype(np.int64), np.ones(values.shape))
    values = values.astype(np.float64)
    if values.ndim not in (2, 3) or 0 in values.shape or not np.isfinite(values).all():
        what = "not finite" if 0 not in values.shape and values.ndim in (2, 3) else f"of shape {output.shape}"
        raise ModelError(f"a segmentation gives finite (1, H, W), (1, C, H, W) or (1, H, W, C); this one's is {what}.")
    if values.ndim == 2:
        if values.min() < 0 or values.max() > 1:
            values = 1 / (1 + np.exp(-values.clip(-60, 60)))
        return Mask((values > 0.5).astype(np.int64), np.where(values > 0.5, values, 1 - values))
    scores = np.moveaxis(values, -1, 0) if channels_last else values  # (C, H, W)
    if scores.min() < 0 or not np.allclose(scores.sum(axis=0), 1, atol=1e-3):
        scores = np.exp(scores - scores.max(axis=0))
        scores /= scores.sum(axis=0)
    return Mask(scores.argmax(axis=0).astype(np.int64), scores.max(axis=0))
