"""Find images that look alike.

>>> import lookalike
>>> photos = lookalike.open("photos.collection")        # doctest: +SKIP
>>> photos.add("~/Pictures")                            # doctest: +SKIP
>>> for hit in photos.search("cat.jpg", k=20):          # doctest: +SKIP
...     print(hit.score, hit.source)

Importing this package loads neither a model runtime nor a web framework: everything heavy waits for its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import AsyncClient, Client
    from .collection import Collection, open, restore
    from .errors import LookalikeError
    from .types import Hit, Query, Record, VectorSpace

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "Client",
    "Collection",
    "Hit",
    "LookalikeError",
    "Query",
    "Record",
    "VectorSpace",
    "__version__",
    "open",
    "restore",
]

_HOMES = {
    "AsyncClient": ".client",
    "Client": ".client",
    "Collection": ".collection",
    "open": ".collection",
    "restore": ".collection",
    "LookalikeError": ".errors",
    "Hit": ".types",
    "Query": ".types",
    "Record": ".types",
    "VectorSpace": ".types",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lookalike' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
