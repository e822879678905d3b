"""``lookalike keys``."""

from __future__ import annotations

from pathlib import Path

import click

from . import say
from .options import as_json

__all__ = ["command"]


@click.command("keys", short_help="Make, list and remove keys for `lookalike serve`.")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False))
@click.option("--add", metavar="NAME", help="Make a key and print it: nothing can show it again.")
@click.option(
    "--role",
    type=click.Choice(["search", "write", "admin"]),
    default="search",
    show_default=True,
    help="What a new key may do; each may do what those before it may.",
)
@click.option("--remove", metavar="NAME", help="Take a key away.")
@as_json
def command(file: str, add: str | None, role: str, remove: str | None, as_json: bool) -> int:
    """Make, list and remove keys for `lookalike serve --api-keys FILE`.

    FILE holds their names, roles and hashes, never the keys. A running server notices changes within a second.
    """
    from ..serve.keys import ROLES, add_key, read_keys, remove_key

    if add and remove:
        raise click.UsageError("--add and --remove were both given.")
    path = Path(file).expanduser()
    if add:
        made = add_key(path, add, next(each for each in ROLES if each == role))
        if as_json:
            say.result({"name": add, "role": role, "key": made})
        else:
            click.echo(made)
            say.message(f"The key {add!r} may {role}. Keep it: only its hash is in {file}.")
        return 0
    if remove:
        remove_key(path, remove)
        say.message(f"The key {remove!r} is no longer one of {file}.")
        return 0
    keys = read_keys(path).values()
    if as_json:
        say.result({"keys": [{"name": key.name, "role": key.role, "created": key.created} for key in keys]})
    else:
        for key in keys:
            click.echo(f"{key.name}\t{key.role}\t{key.created}")
    return 0
