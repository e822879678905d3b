"""Commands over a server: ``--collection http://host:port/name`` in place of a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from ..client.address import is_address
from ..errors import BadInput
from . import say

if TYPE_CHECKING:
    from ..client import Client

__all__ = ["COMMANDS_OVER_A_SERVER", "connect", "no_server", "only_folders", "refuse_options", "server_of"]

COMMANDS_OVER_A_SERVER = ("search", "index", "info", "remove")


def server_of(collection: str | None) -> str | None:
    """Return the address where ``--collection``, or without it the environment, names a server; else None."""
    named = collection or os.environ.get("LOOKALIKE_COLLECTION", "")
    return named if is_address(named) else None


def connect(address: str) -> Client:
    """Return the collection on a server; its key is in ``LOOKALIKE_KEY``."""
    from ..client import Client

    say.overhear("lookalike.client")
    return Client(address)


def only_folders(context: click.Context, option: click.Parameter, collection: str | None) -> str | None:
    """Refuse an address at once, for a command that needs the folder itself; the callback of ``--collection``."""
    if collection and context.info_name not in COMMANDS_OVER_A_SERVER:
        no_server(collection)
    return collection


def no_server(collection: str | None) -> None:
    """Refuse a collection on a server.

    Raises:
        BadInput: it is on one.
    """
    address = server_of(collection)
    if address:
        raise BadInput(
            f"`lookalike {click.get_current_context().info_name}` needs the folder of a collection, and {address} is "
            "on a server.",
            hint=f"Run it where the folder is. Over a server work: {', '.join(COMMANDS_OVER_A_SERVER)}.",
        )


def refuse_options(address: str, reasons: Mapping[str, str]) -> None:
    """Refuse options that were given and mean nothing over a server.

    Args:
        address: the server's.
        reasons: name of a parameter -> what to do instead.

    Raises:
        BadInput: one of them was given.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in reasons and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise BadInput(f"{parameter.opts[0]} does not work over a server ({address}).", hint=reasons[name])
