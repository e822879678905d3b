"""``lookalike remove``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..errors import BadInput
from ..images.printable import printable
from . import say
from .options import as_json, collection_option, open_collection
from .servers import connect, server_of

if TYPE_CHECKING:
    from ..client import Client
    from ..collection import Collection

__all__ = ["command"]


@click.command("remove", short_help="Take images out of a collection.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@collection_option
@as_json
def command(ids: tuple[str, ...], collection: str | None, as_json: bool) -> int:
    """Take images out of a collection by id, or by path; their files stay. `-` reads ids from standard input."""
    import os

    wanted = [id for word in ids for id in (sys.stdin.read().splitlines() if word == "-" else [word])]
    address = server_of(collection)
    if address:
        return _there(address, wanted, as_json)
    with open_collection(collection) as photos:
        found: list[str] = []
        missing: list[str] = []
        for word in wanted:
            name = word.removeprefix("id:")
            record = photos.get(name) or photos.store.known([os.path.abspath(os.path.expanduser(word))])[0]
            if record:
                found.append(record.id)
            else:
                missing.append(word)
        return _remove(photos, str(photos.path), found, missing, as_json)


def _there(address: str, wanted: list[str], as_json: bool) -> int:
    """Remove by ids, which are all that a server goes by."""
    with connect(address) as photos:
        names = {word: word.removeprefix("id:") for word in wanted}
        there = {record.id for record in photos.get_many(list(names.values()))}
        missing = [word for word, id in names.items() if id not in there]
        return _remove(photos, photos.url, sorted(there), missing, as_json)


def _remove(photos: Collection | Client, where: str, found: list[str], missing: list[str], as_json: bool) -> int:
    if missing and not found:
        raise BadInput(
            f"none of these is in {where}: {', '.join(printable(word) for word in missing[:5])}.",
            hint="`lookalike info --ids` lists the ids.",
        )
    removed = photos.remove(found)
    if as_json:
        say.result({"removed": removed, "missing": [printable(word) for word in missing], "images": len(photos)})
    else:
        for word in missing:
            say.message(f"not there: {printable(word)}")
        say.message(f"{removed} removed; {len(photos)} images in {where}.")
    return 1 if missing else 0
