"""Where records and vectors live. The store is the truth; everything else on disk is derived from it."""

from __future__ import annotations

from ..protocols import Store
from ..registry import Registry

__all__ = ["STORES"]

STORES: Registry[Store] = Registry("store", {"sqlite": "lookalike.store.sqlite:open_sqlite"})
