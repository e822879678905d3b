"""Naming a pooling for a fingerprint."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

__all__ = ["describe"]


def describe(value: object) -> str:
    """Return text that names a pooling and all its options; what enters an embedder's fingerprint.

    Arrays are named by type, shape and the first 16 hex digits of the sha256 of their bytes.

    Example:
        >>> from lookalike.embed.pooling.gem import GeM
        >>> describe(GeM(p=3))
        'GeM(p=3.0, eps=1e-06)'
    """
    if isinstance(value, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]
        return f"{value.dtype}{list(value.shape)}@{content}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (f"{each.name}={describe(getattr(value, each.name))}" for each in dataclasses.fields(value))
        return f"{type(value).__name__}({', '.join(fields)})"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(describe, value))}]"
    return repr(value)
