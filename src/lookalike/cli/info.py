"""``lookalike info``."""

from __future__ import annotations

from typing import Any

import click

from ..images.printable import printable
from . import say
from .options import as_json, collection_option, open_collection
from .servers import connect, refuse_options, server_of

__all__ = ["command"]


@click.command("info", short_help="Say what a collection holds.")
@collection_option
@click.option("--ids", is_flag=True, help="Print the ids, one a line.")
@click.option("--basis", metavar="PNG", type=click.Path(dir_okay=False), help="Draw what the embedder learned.")
@as_json
def command(collection: str | None, ids: bool, basis: str | None, as_json: bool) -> int:
    """Say what a collection holds: how many images, from where, and what their vectors are."""
    address = server_of(collection)
    if address:
        refuse_options(address, {"basis": "The operator can draw it, from the collection's folder."})
        return _there(address, ids, as_json)
    with open_collection(collection) as photos:
        if ids:
            for record in photos:
                click.echo(printable(record.id))
            return 0
        if basis:
            return _draw(photos, basis)
        facts = photos.info()
        if as_json:
            roots = {printable(root): count for root, count in facts["roots"].items()}
            say.result({**facts, "roots": roots})
            return 0
        click.echo(f"{facts['path']}: {facts['images']} images, {say.size(facts['bytes'])} on disk")
        for name, space in facts["spaces"].items():
            mark = "searched" if name == facts["space"] else "also there"
            click.echo(
                f"  vectors {name} ({mark}): {space['dim']} dimensions, {space['similarity']}, "
                f"embedder {space['embedder'] or 'unknown (imported)'}, near-copies from a score of "
                f"{space['near_copies']:.3g}"
            )
        for root, count in facts["roots"].items():
            click.echo(f"  {count} images from {printable(root) or 'URLs and memory'}")
    return 0


def _there(address: str, ids: bool, as_json: bool) -> int:
    """Say what a server tells of its collection."""
    with connect(address) as photos:
        if ids:
            for record in photos:
                click.echo(printable(record.id))
            return 0
        facts = photos.info()
    if as_json:
        say.result(facts)
        return 0
    click.echo(f"{facts['url']}: {facts['images']} images, {'' if facts['calibrated'] else 'not '}calibrated")
    for name, space in facts["spaces"].items():
        mark = "searched" if name == facts["space"] else "also there"
        click.echo(
            f"  vectors {name} ({mark}): {space['dim']} dimensions, {space['similarity']}, "
            f"embedder {space['embedder'] or 'unknown (imported)'}"
        )
    if facts["columns"]:
        click.echo(f"  metadata: {', '.join(map(printable, facts['columns']))}")
    return 0


def _draw(photos: Any, target: str) -> int:
    """Write the basis pictures of an embedder that learned them, side by side."""
    from ..errors import BadInput
    from ..images.tiles import save_tiles

    pictures = getattr(photos.embedder, "pictures", None)
    if pictures is None:
        raise BadInput(
            f"{photos.space.name!r} has learned no pictures to draw.",
            hint="eigenfaces, nmf and kmeans-patches do: `lookalike index FOLDER --embedder eigenfaces`.",
        )
    drawn = pictures()
    save_tiles(drawn, target)
    say.message(f"{len(drawn)} pictures in {target}.")
    return 0
