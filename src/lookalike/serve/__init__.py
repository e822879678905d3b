"""The service: search and collections over HTTP. ``lookalike serve`` runs it; ``create_app`` mounts it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .app import create_app
    from .settings import Settings

__all__ = ["Settings", "create_app"]

_HOMES = {"Settings": ".settings", "create_app": ".app"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        value = getattr(import_module(_HOMES[name], __name__), name)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.split(".")[0] == "lookalike":
            raise
        from ..errors import MissingExtra

        raise MissingExtra(
            f"the server needs the package {missing.name!r}, which is not installed.",
            hint="Try: pip install 'lookalike[serve]'",
        ) from missing
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
