"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .servers import only_folders

if TYPE_CHECKING:
    from ..collection import Collection

__all__ = ["as_json", "collection_option", "device_option", "open_collection"]

F = TypeVar("F", bound=Callable[..., Any])


def collection_option(command: F) -> F:
    """``--collection PATH``: which collection; a command asks ``servers.server_of`` whether it is on a server."""
    return click.option(
        "--collection",
        "collection",
        metavar="PATH",
        type=click.Path(path_type=str),
        callback=only_folders,
        help="The collection's folder; for search, index, info and remove also http://HOST:PORT/NAME of a server. "
        "Default: $LOOKALIKE_COLLECTION, or lookalike.collection in this folder or the nearest parent that has one.",
    )(command)


def as_json(command: F) -> F:
    """``--json``: one JSON object on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def device_option(command: F) -> F:
    """``--device``: where a model runs."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "coreml", "openvino"]),
        default="auto",
        show_default=True,
        help="Where a model runs.",
    )(command)


def open_collection(path: str | None, **options: Any) -> Collection:
    """Open an existing collection, or the error that says how to make one."""
    from ..collection import open
    from .servers import no_server

    no_server(path)
    return open(os.fspath(path) if path else None, create_missing=False, **options)
