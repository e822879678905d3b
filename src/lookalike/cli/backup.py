"""``lookalike backup``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from . import say
from .options import as_json, collection_option, open_collection

__all__ = ["command"]


@click.command("backup", short_help="Copy a collection into one file, or restore it.")
@click.argument("file", metavar="FILE")
@click.option("--restore", is_flag=True, help="Make the collection anew from FILE; there must be none yet.")
@collection_option
@as_json
def command(file: str, restore: bool, collection: str | None, as_json: bool) -> int:
    """Copy a collection into FILE, consistently even while another process writes to it; or restore it from there."""
    target = Path(file).expanduser()
    if restore:
        from ..collection import restore as from_backup

        with from_backup(target, collection) as photos:
            if as_json:
                say.result({"restored": len(photos), "collection": str(photos.path)})
            else:
                say.message(f"{len(photos)} images restored into {photos.path}.")
        return 0
    with open_collection(collection) as photos:
        photos.backup(target)
        size = target.stat().st_size
        if as_json:
            say.result({"saved": len(photos), "file": str(target), "bytes": size})
        else:
            again = shlex.join(["lookalike", "backup", file, "--restore", "--collection", "NEW"])
            say.message(f"{len(photos)} images saved in {target} ({say.size(size)}); back with: {again}")
    return 0
