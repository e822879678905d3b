"""``lookalike export``."""

from __future__ import annotations

import click

from . import say
from .options import as_json, collection_option, open_collection

__all__ = ["command"]


@click.command("export", short_help="Write vectors and metadata for other tools.")
@click.argument("folder", metavar="FOLDER")
@collection_option
@as_json
def command(folder: str, collection: str | None, as_json: bool) -> int:
    """Write vectors and metadata into FOLDER as clip-retrieval does.

    img_emb/img_emb_0.npy holds the vectors, metadata/metadata_0.parquet the paths, ids and metadata in the same order.
    """
    from ..collection.transfer import export_folder

    with open_collection(collection) as photos:
        count = export_folder(photos, folder)
        if as_json:
            say.result({"exported": count, "folder": folder})
        else:
            say.message(f"{count} vectors written to {folder}.")
    return 0
