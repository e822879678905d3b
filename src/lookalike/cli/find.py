"""``lookalike find``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..images.printable import printable
from . import say
from .options import as_json, collection_option, open_collection

__all__ = ["command"]

NAMED = 20  # skipped pictures that are named on the terminal
SIDE = 400  # pixels that a tile may need


@click.command("find", short_help="Find a small picture inside the images of a collection.")
@click.argument("template", metavar="TEMPLATE")
@collection_option
@click.option("-k", "k", type=click.IntRange(1), default=20, show_default=True, help="How many results.")
@click.option("--per-image", type=click.IntRange(1), default=1, show_default=True, help="How many places in one image.")
@click.option(
    "--method",
    default="ccoeff",
    show_default=True,
    metavar="NAME",
    help="How alike a place is: ccoeff (whatever the light and contrast), sqdiff, sqdiff-normed, or ccorr (plain "
    "correlation: prefers what is bright).",
)
@click.option(
    "--scales",
    default="0.5,2",
    show_default=True,
    metavar="LOW,HIGH",
    help="Sizes to look for, 1 being its own. A narrow range is surer: small templates match by chance.",
)
@click.option(
    "--rotations",
    type=click.FloatRange(0, 45),
    default=0.0,
    show_default=True,
    metavar="DEGREES",
    help="Also look for it turned by up to so much, in steps of 5.",
)
@click.option(
    "--detail",
    type=click.IntRange(32),
    default=400,
    show_default=True,
    help="Pixels of an image's longer side to look at; a template that is small in large images needs more.",
)
@click.option("--picture", metavar="FILE", type=click.Path(), help="Draw the results, each place in a box.")
@click.option("--workers", type=click.IntRange(1), help="Threads. Default: one a core.")
@as_json
def command(
    template: str,
    collection: str | None,
    k: int,
    per_image: int,
    method: str,
    scales: str,
    rotations: float,
    detail: int,
    picture: str | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """Find a small picture, such as a logo, inside the images of a collection.

    TEMPLATE is an image file or a URL. Every image is looked through, so it takes time in proportion to their
    number.
    """
    from ..collection.find import find_template
    from ..images import read_source
    from ..images.decode import decode
    from ..local.template import Template

    source = template if "://" in template else str(Path(template).expanduser().absolute())
    wanted = decode(read_source(source)).pixels
    looked_for = Template(wanted, method=method, scales=_scales(scales), rotations=rotations, detail=detail)
    with open_collection(collection) as photos:
        with _bar(len(photos), quiet=as_json) as progress:
            report = find_template(photos, looked_for, k=k, per_image=per_image, workers=workers, on_progress=progress)
        if picture:
            _draw(wanted, template, report, picture)
            say.message(f"Wrote {picture}.")
    if as_json:
        say.result({"template": printable(template), "method": method, **report.to_json()})
    else:
        _show(report)
    return 1 if report.skipped_count else 0


def _scales(text: str) -> tuple[float, float]:
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise click.UsageError(f"--scales takes LOW,HIGH, such as 0.5,2, or one number; got {text!r}.")
    return numbers[0], numbers[-1]


def _show(report: Any) -> None:
    for hit in report.hits:
        box = hit.match.region
        click.echo(f"{hit.match.score:.4f}\t{box.x0},{box.y0},{box.x1},{box.y1}\t{printable(hit.record.source)}")
    for skipped in report.skipped[:NAMED]:
        say.message(f"skipped {printable(skipped.source)}: {printable(skipped.error.message)}")
    if report.skipped_count > NAMED:
        say.message(f"... and {report.skipped_count - NAMED} more; --json names them.")
    if not report.hits:
        say.message("The template fits into none of the images at these sizes.")
    say.message(f"Looked through {report.searched} images in {say.duration(report.seconds)}.")


def _draw(wanted: Any, name: str, report: Any, target: str) -> None:
    from ..images.draw import Row, Tile, draw, save_picture

    query = Tile(wanted, printable(name))
    save_picture(
        draw([Row("Found", [_tile(hit) for hit in report.hits], ranked=True, query=[query])], columns=5), target
    )


def _tile(hit: Any) -> Any:
    from ..collection.parts import in_reduced
    from ..errors import LookalikeError
    from ..images import read_source
    from ..images.decode import decode
    from ..images.draw import Tile

    try:
        decoded = decode(read_source(hit.record.source), input_size=SIDE)
    except LookalikeError:  # gone since it was looked through
        return Tile(None, hit.record.id, hit.match.score, note="cannot be read")
    return Tile(decoded.pixels, hit.record.id, hit.match.score, box=in_reduced(hit.match.region, decoded))


@contextmanager
def _bar(total: int, *, quiet: bool) -> Iterator[Callable[[Any], None]]:
    if quiet or not sys.stderr.isatty():
        yield lambda report: None
        return
    from rich.console import Console
    from rich.progress import Progress

    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task("looking", total=total)
    with progress:
        yield lambda report: progress.update(task, completed=report.searched + report.skipped_count)
