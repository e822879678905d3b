"""``lookalike rebase``."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import BadInput
from . import say
from .options import as_json, collection_option, open_collection

__all__ = ["command"]


@click.command("rebase", short_help="Say that the images' folder has moved.")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@collection_option
@as_json
def command(old: str, new: str, collection: str | None, as_json: bool) -> int:
    """Say that what lay under OLD now lies under NEW. Nothing is read or embedded again; ids stay."""
    with open_collection(collection) as photos:
        moved = photos.rebase(old, new)
        if not moved:
            roots = ", ".join(root for root in photos.info()["roots"] if root) or "none"
            raise BadInput(f"no image of {photos.path} lies under {old}.", hint=f"Its folders are: {roots}.")
        if as_json:
            say.result({"moved": moved})
        else:
            say.message(f"{moved} images now lie under {new}.")
            if not Path(new).expanduser().exists():
                say.message(f"Note: {new} is not there at the moment.")
    return 0
