"""Poolings of a vision transformer's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import BadShape
from ...types import Vectors
from .arrays import Floats, as_map, as_tokens

__all__ = ["ClassAndPatchMean", "ClassToken", "PatchMean", "tokens_of"]


def tokens_of(features: npt.NDArray[Any]) -> Floats:
    """Return the positions of a feature map (B, C, H, W) as tokens, (B, H * W, C) float32, row by row.

    Raises:
        BadShape: not a feature map, or one without positions.
    """
    maps = as_map(features)
    batch, channels, height, width = maps.shape
    return np.ascontiguousarray(maps.reshape(batch, channels, height * width).transpose(0, 2, 1))


@dataclass(frozen=True, kw_only=True)
class ClassToken:
    """The class token, the first one: what most vision transformers were trained to put their answer in.

    Source: Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021, equation (4), before its layer norm, which
    is the network's.
    """

    takes: ClassVar = "tokens"

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, C) float32, not normalised, of (B, T, C).

        Raises:
            BadShape: not tokens, or none of them.
        """
        return np.ascontiguousarray(as_tokens(features)[:, 0])


@dataclass(frozen=True, kw_only=True)
class PatchMean:
    """The mean of the patch tokens.

    Args:
        skip: how many tokens come before the patches: 1 for a class token, more with registers, 0 for neither.

    Source: as the global average pooling of Dosovitskiy et al., ICLR 2021, appendix D.3.
    """

    takes: ClassVar = "tokens"

    skip: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.skip, int) or self.skip < 0:
            raise BadShape(f"skip should be a whole number of at least 0, got {self.skip!r}.")

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, C) float32, not normalised, of (B, T, C).

        Raises:
            BadShape: not tokens, or none of them left.
        """
        tokens = as_tokens(features)
        if tokens.shape[1] <= self.skip:
            raise BadShape(f"of {tokens.shape[1]} tokens, none is left after the first {self.skip}.")
        return np.asarray(tokens[:, self.skip :].mean(axis=1, dtype=np.float64), np.float32)


@dataclass(frozen=True, kw_only=True)
class ClassAndPatchMean:
    """The class token, and beside it the mean of the patch tokens.

    Args:
        skip: how many tokens come before the patches, the class token among them, at least 1.

    Source: Oquab et al., "DINOv2: learning robust visual features without supervision", TMLR 2024, the features of its
    linear evaluation.
    """

    takes: ClassVar = "tokens"

    skip: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.skip, int) or self.skip < 1:
            raise BadShape(f"skip should be a whole number of at least 1, the class token, got {self.skip!r}.")

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, 2 C) float32, not normalised, of (B, T, C).

        Raises:
            BadShape: not tokens, or no patches among them.
        """
        return np.concatenate([ClassToken()(features), PatchMean(skip=self.skip)(features)], axis=1)
