"""``lookalike backup``."""

from __future__ import annotations

from pathlib import Path

import click

from . import say
from .options import collection_option, open_collection

__all__ = ["command"]


@click.command("backup", short_help="Copy a collection into one file, or restore it.")
@click.argument("file", metavar="FILE")
@click.option("--restore", is_flag=True, help="Make the collection anew from FILE; there must be none yet.")
@collection_option
def command(file: str, restore: bool, collection: str | None) -> int:
    """Copy a collection into FILE, consistently even while another process writes to it; or restore it from there."""
    target = Path(file).expanduser()
    if restore:
        from ..collection import default_path
        from ..store.sqlite import SqliteStore

        path = Path(collection).expanduser() if collection else default_path()
        with_store = SqliteStore.restore(target, path)
        count = with_store.count()
        with_store.close()
        say.message(f"{count} images restored into {path}.")
        return 0
    with open_collection(collection) as photos:
        photos.backup(target)
        say.message(f"{len(photos)} images saved in {target} ({say.size(target.stat().st_size)}).")
    return 0
