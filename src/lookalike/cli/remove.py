"""``lookalike remove``."""

from __future__ import annotations

import sys

import click

from ..errors import BadInput
from ..images.printable import printable
from . import say
from .options import as_json, collection_option, open_collection

__all__ = ["command"]


@click.command("remove", short_help="Take images out of a collection.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@collection_option
@as_json
def command(ids: tuple[str, ...], collection: str | None, as_json: bool) -> int:
    """Take images out of a collection by id, or by path; their files stay. `-` reads ids from standard input."""
    import os

    with open_collection(collection) as photos:
        wanted = [id for word in ids for id in (sys.stdin.read().splitlines() if word == "-" else [word])]
        found: list[str] = []
        missing: list[str] = []
        for word in wanted:
            name = word.removeprefix("id:")
            record = photos.get(name) or photos.store.known([os.path.abspath(os.path.expanduser(word))])[0]
            if record:
                found.append(record.id)
            else:
                missing.append(word)
        if missing and not found:
            raise BadInput(
                f"none of these is in {photos.path}: {', '.join(printable(word) for word in missing[:5])}.",
                hint="`lookalike info --ids` lists the ids.",
            )
        removed = photos.remove(found)
        if as_json:
            say.result({"removed": removed, "missing": [printable(word) for word in missing], "images": len(photos)})
        else:
            for word in missing:
                say.message(f"not there: {printable(word)}")
            say.message(f"{removed} removed; {len(photos)} images in {photos.path}.")
    return 1 if missing else 0
