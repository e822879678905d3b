"""Vectors to neighbours. An index is derived from the store and can always be rebuilt."""

from __future__ import annotations

from ..protocols import Index
from ..registry import Registry

__all__ = ["INDEXES"]

INDEXES: Registry[Index] = Registry("index", {"exact": "lookalike.index.exact:Exact"})
