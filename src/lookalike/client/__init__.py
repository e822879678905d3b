"""The client of ``lookalike serve``: a collection on a server, with the methods of a collection in a folder.

>>> import lookalike
>>> photos = lookalike.Client("http://127.0.0.1:8000/photos")       # doctest: +SKIP
>>> for hit in photos.search("cat.jpg", k=20):                       # doctest: +SKIP
...     print(hit.score, hit.link)

It needs no part of the server: httpx and pydantic come with lookalike. Both wait for the first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .address import Address, is_address
    from .asynchronous import AsyncClient
    from .results import RemoteHit, RemoteRecord, RemoteResults
    from .synchronous import Client

__all__ = ["Address", "AsyncClient", "Client", "RemoteHit", "RemoteRecord", "RemoteResults", "is_address"]

_HOMES = {
    "Address": ".address",
    "is_address": ".address",
    "AsyncClient": ".asynchronous",
    "Client": ".synchronous",
    "RemoteHit": ".results",
    "RemoteRecord": ".results",
    "RemoteResults": ".results",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
