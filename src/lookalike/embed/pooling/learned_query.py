"""Attention pooling with one learned query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import BadShape
from ...types import Vectors
from .arrays import as_option, as_tokens, positive, softmax

__all__ = ["LearnedQuery"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LearnedQuery:
    """The mean of tokens, each weighed by how well it answers a learned query.

    Args:
        query: (C,) what is asked; zeros give the plain mean.
        scale: what scores are multiplied by before the softmax, above 0; None means 1 / sqrt(C).

    For a feature map, give ``tokens_of(map)``.

    Source: scaled dot-product attention (Vaswani et al., "Attention is all you need", NeurIPS 2017, equation (1)) with
    a seed vector as the query, as in pooling by attention of Lee et al., "Set transformer", ICML 2019, without its
    projections, heads and feed-forward layer.
    """

    takes: ClassVar = "tokens"

    query: npt.NDArray[Any]
    scale: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "query", as_option("query", self.query, (None,)))
        if self.scale is not None:
            object.__setattr__(self, "scale", positive("scale", self.scale))

    def __call__(self, features: npt.NDArray[Any]) -> Vectors:
        """Return (B, C) float32, not normalised, of (B, T, C).

        Raises:
            BadShape: not tokens, none of them, or of another number of channels than the query.
        """
        tokens = as_tokens(features).astype(np.float64)
        channels = tokens.shape[2]
        if len(self.query) != channels:
            raise BadShape(f"the query is of {len(self.query)} channels, but the tokens have {channels}.")
        scale = channels**-0.5 if self.scale is None else self.scale
        share = softmax(tokens @ self.query * scale, axis=1)  # (B, T)
        return np.asarray((share[:, None] @ tokens)[:, 0], np.float32)
