"""``lookalike import``."""

from __future__ import annotations

import click

from . import say
from .options import as_json, collection_option

__all__ = ["command"]


@click.command("import", short_help="Take in vectors that were made elsewhere.")
@click.argument("folder", metavar="FOLDER_OR_NPY")
@collection_option
@click.option(
    "--metadata", metavar="FILE", type=click.Path(), help="Parquet or CSV, a row a vector, beside one .npy file."
)
@click.option("--embedder", metavar="NAME", help="The embedder that made the vectors; lets new images be searched for.")
@click.option("--name", metavar="NAME", help="What to call the vectors, without --embedder. Default: the file's name.")
@as_json
def command(
    folder: str, collection: str | None, metadata: str | None, embedder: str | None, name: str | None, as_json: bool
) -> int:
    """Take in vectors that were made elsewhere: a folder as clip-retrieval writes it, or one .npy file.

    Vectors of unit length are compared by cosine, others by distance.
    """
    from ..collection.transfer import import_vectors

    photos, count = import_vectors(collection, folder, metadata=metadata, embedder=embedder, name=name)
    with photos:
        if as_json:
            say.result({"imported": count, "images": len(photos), "space": photos.space.name})
        else:
            say.message(f"{count} vectors taken in as {photos.space.name}; {len(photos)} images in {photos.path}.")
    return 0
