"""``lookalike related``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from . import say
from .options import as_json, collection_option, open_collection

__all__ = ["command"]


@click.command("related", short_help="Write for every image the images most like it.")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@collection_option
@click.option("-k", "--k", "k", type=click.IntRange(1), default=20, show_default=True, help="How many for each image.")
@click.option(
    "--not-same",
    is_flag=True,
    help="Leave out near-copies of the image, and with --group-by the images of its own group.",
)
@click.option("--group-by", metavar="COLUMN", help="In a list, one image, the best, of each value of this column.")
@as_json
def command(out: Path, collection: str | None, k: int, not_same: bool, group_by: str | None, as_json: bool) -> int:
    """Write a list of related images for every image of the collection into OUT.

    OUT.csv and OUT.parquet have one row a pair (id, rank, related_id, score); OUT.npz is a sparse matrix as
    scipy.sparse.load_npz reads it, with the ids of its rows beside it.
    """
    from ..collection.related import related
    from ..collection.related_files import check_target, write_related

    check_target(out)
    with open_collection(collection) as photos:
        with _bar(quiet=as_json) as show:
            lists = related(photos, k, not_same=not_same, group_by=group_by, on_progress=show)
        write_related(photos, lists, out)
    if as_json:
        say.result({"images": len(lists), "pairs": len(lists.neighbours), "path": str(out)})
    else:
        say.message(f"{len(lists.neighbours)} related images of {len(lists)} images written to {out}.")
    return 0


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield what to call with the images done and all there are; draws only on a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("relating", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
