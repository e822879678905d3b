"""The attention pooling of CLIP's ResNets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import BadShape
from ...types import Vectors
from .arrays import Wide, as_map, as_option, softmax

__all__ = ["AttentionPool"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionPool:
    """Attention of many heads, asked by the mean of all positions.

    Args:
        positions: (H * W + 1, C) what is added to each position, the mean's first.
        query_weights, query_biases: (C, C) and (C,) of the projection of the mean.
        key_weights, key_biases: (C, C) and (C,).
        value_weights, value_biases: (C, C) and (C,).
        output_weights, output_biases: (D, C) and (D,) of the projection at the end.
        heads: how many; divides C.

    Source: Radford et al., "Learning transferable visual models from natural language supervision" (CLIP), ICML 2021,
    section 2.4, and the authors' code (openai/CLIP, ``AttentionPool2d``), whose parameters these are. Weights lie as
    torch's linear layers have them: (out, in).
    """

    takes: ClassVar = "map"

    positions: Array
    query_weights: Array
    query_biases: Array
    key_weights: Array
    key_biases: Array
    value_weights: Array
    value_biases: Array
    output_weights: Array
    output_biases: Array
    heads: int

    def __post_init__(self) -> None:
        positions = as_option("positions", self.positions, (None, None))
        channels = positions.shape[1]
        object.__setattr__(self, "positions", positions)
        for name in ("query", "key", "value", "output"):
            side = None if name == "output" else channels
            weights = as_option(f"{name}_weights", getattr(self, f"{name}_weights"), (side, channels))
            biases = as_option(f"{name}_biases", getattr(self, f"{name}_biases"), weights.shape[:1])
            object.__setattr__(self, f"{name}_weights", weights)
            object.__setattr__(self, f"{name}_biases", biases)
        if not isinstance(self.heads, int) or self.heads < 1 or channels % self.heads:
            raise BadShape(f"heads should divide the {channels} channels, got {self.heads!r}.")

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, D) float32, not normalised, of (B, C, H, W).

        Raises:
            BadShape: not a feature map, one without positions, or of another shape than ``positions`` are for.
        """
        maps = as_map(features)
        batch, channels, height, width = maps.shape
        if self.positions.shape != (height * width + 1, channels):
            count, of = self.positions.shape
            raise BadShape(
                f"this attention was trained on maps of {of} channels and {count - 1} positions; "
                f"got {channels} channels, {height} x {width}."
            )
        tokens = maps.reshape(batch, channels, height * width).transpose(0, 2, 1).astype(np.float64)
        tokens = np.concatenate([tokens.mean(axis=1, keepdims=True), tokens], axis=1) + self.positions  # (B, N + 1, C)
        query = self._split(tokens[:, :1] @ self.query_weights.T + self.query_biases)
        keys = self._split(tokens @ self.key_weights.T + self.key_biases)
        values = self._split(tokens @ self.value_weights.T + self.value_biases)
        share = softmax(query @ keys.swapaxes(2, 3) / np.sqrt(channels / self.heads), axis=3)  # (B, heads, 1, N + 1)
        joined = (share @ values).transpose(0, 2, 1, 3).reshape(batch, channels)
        return np.asarray(joined @ self.output_weights.T + self.output_biases, np.float32)

    def _split(self, tokens: Wide) -> Wide:
        """Return (B, heads, N, C / heads)."""
        batch, count, channels = tokens.shape
        return tokens.reshape(batch, count, self.heads, channels // self.heads).transpose(0, 2, 1, 3)
