"""Getting pixels: sources of pictures, safe decoding, and drawing results.

>>> from lookalike.images import Item, scan                   # doctest: +SKIP
>>> from lookalike.images.decode import decode                 # doctest: +SKIP
>>> for entry in scan("~/Pictures"):                           # doctest: +SKIP
...     if isinstance(entry, Item):
...         pixels = decode(entry.read(), input_size=224).pixels

Each name is loaded on first use: looking through a folder loads neither Pillow nor httpx nor pyarrow. ``decode`` and
``draw`` are the functions of the modules of these names, and are imported from there: a package's attribute cannot be
both the module and the function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .decode import Decoded
    from .draw import Row, Tile, save_picture
    from .http import fetch
    from .item import Item, Skipped
    from .names import IMAGE_SUFFIXES, looks_like_image
    from .reading import FetchLimits
    from .sources import read_source, scan
    from .thumbnails import terminal_image, thumbnail_jpeg

__all__ = [
    "IMAGE_SUFFIXES",
    "Decoded",
    "FetchLimits",
    "Item",
    "Row",
    "Skipped",
    "Tile",
    "fetch",
    "looks_like_image",
    "read_source",
    "save_picture",
    "scan",
    "terminal_image",
    "thumbnail_jpeg",
]

_HOMES = {
    "Decoded": ".decode",
    "Row": ".draw",
    "Tile": ".draw",
    "save_picture": ".draw",
    "fetch": ".http",
    "Item": ".item",
    "Skipped": ".item",
    "IMAGE_SUFFIXES": ".names",
    "looks_like_image": ".names",
    "FetchLimits": ".reading",
    "read_source": ".sources",
    "scan": ".sources",
    "terminal_image": ".thumbnails",
    "thumbnail_jpeg": ".thumbnails",
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
