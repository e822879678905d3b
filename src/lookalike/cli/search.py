"""``lookalike search``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..images.printable import printable
from . import say
from .options import as_json, collection_option, device_option, open_collection
from .servers import connect, refuse_options, server_of

if TYPE_CHECKING:
    from ..collection import Results

__all__ = ["command"]

_NOT_THERE = {  # what a search over a server cannot do, and what to do instead
    "subject": "Give the part of the picture yourself: --box.",
    "verify": "Look inside the pictures with --verify where the collection's folder is.",
    "verify_depth": "It goes with --verify.",
    "truth": "Mark what is right where the collection's folder is.",
    "label": "It goes with --truth.",
    "device": "The server's operator says where its model runs.",
}


class _Search(click.Command):
    """Tells somebody who wrote ``-2:cartoon``, which looks like an option, that a sign stands alone."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            taken = next((word for word in given if re.match(r"-[\d.]+:.", word)), None)
            if taken is None:
                raise
            message = f"a sign stands alone in a query: write - {taken[1:]} in place of {taken}."
            raise click.UsageError(message, ctx=error.ctx) from error


@click.command(
    "search",
    cls=_Search,
    short_help="Find the images most like an image.",
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": True},
)
@click.argument("query", nargs=-1, required=True, metavar="QUERY...")
@collection_option
@click.option("-k", "k", type=click.IntRange(1), default=20, show_default=True, help="How many results.")
@click.option(
    "--min-relevance",
    "min_relevance",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Leave out results less likely than P (0 to 1) to be relevant; needs `lookalike calibrate`.",
)
@click.option(
    "--not-same",
    is_flag=True,
    help="More like it, not the same: without the query itself, its near-copies, and with --group-by its own group.",
)
@click.option(
    "--group-by",
    metavar="COLUMN",
    help="One result, the best, of all images that share a value of this metadata column: several views of one object.",
)
@click.option(
    "--box", metavar="X0,Y0,X1,Y1", help="Search by this part of the query's image: pixels, or fractions up to 1."
)
@click.option(
    "--subject", metavar="NAME", help="Search by what stands out in the query's image: saliency, content or onnx:PATH."
)
@click.option(
    "--spaces",
    metavar="A,B:W",
    help="Search these vector spaces of the collection together, each with its weight; "
    "learned: with those of `lookalike weigh`.",
)
@click.option(
    "--fusion",
    type=click.Choice(["sum", "rrf"]),
    help="With --spaces: by the weighted sum of their scores, or by reciprocal ranks. Default: sum.",
)
@click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="Only images whose metadata fulfils it: price<20, brand=acme, tags contains red, size in S,M, price missing. "
    "Repeatable: all must hold.",
)
@click.option(
    "--merge",
    type=click.Choice(["best", "mean", "gem"]),
    default="best",
    show_default=True,
    help="With --group-by: the best image stands for its group, or one vector made of all of them.",
)
@click.option(
    "--metadata-weight",
    "metadata",
    metavar="COLUMN:W,...",
    default="",
    help="Make columns a part of the score, each with a weight beside 1 for the picture: tags:0.2,price:log:0.1.",
)
@click.option(
    "--like",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="With --metadata-weight: the query's own value. Default: of the stored image that it is.",
)
@click.option(
    "--augment",
    metavar="VIEWS",
    default="",
    help="Average the query over views of its picture: mirror, crops, zooms, joined by commas.",
)
@click.option(
    "--verify",
    metavar="NAME",
    help="Look for the query's picture inside the first results, and put those first that hold it: template.",
)
@click.option(
    "--verify-depth", type=click.IntRange(1), default=100, show_default=True, help="With --verify: how many results."
)
@click.option("--paths", is_flag=True, help="Print only the results' paths, one a line, for pipes.")
@click.option("--null", is_flag=True, help="With --paths: end each with NUL instead of a newline.")
@click.option(
    "--picture", metavar="FILE", type=click.Path(), help="Draw the query and the results (.png, .jpg, .webp)."
)
@click.option(
    "--truth", metavar="PATH", type=click.Path(), help="With --picture: marks what is right, as `lookalike evaluate`."
)
@click.option("--label", metavar="COLUMN", help="With --truth: the column of the labels in a CSV, if not label.")
@click.option("--thumbnails/--no-thumbnails", default=None, help="Show results in a terminal that can. Default: there.")
@device_option
@as_json
def command(
    query: tuple[str, ...],
    collection: str | None,
    k: int,
    min_relevance: float | None,
    not_same: bool,
    group_by: str | None,
    spaces: str | None,
    fusion: str | None,
    where: tuple[str, ...],
    merge: Any,
    metadata: str,
    like: tuple[str, ...],
    augment: str,
    box: str | None,
    subject: str | None,
    verify: str | None,
    verify_depth: int,
    paths: bool,
    null: bool,
    picture: str | None,
    truth: str | None,
    label: str | None,
    thumbnails: bool | None,
    device: str,
    as_json: bool,
) -> int:
    """Find the images most like the query.

    QUERY is an image file, a URL, id:ID, or stdin: for the bytes of one image. Several of them are searched for
    together (their mean); `+` and `-` between them and a weight in front (2:cat.jpg) say how much of each.

    Other words are text. A model of image and text compares them with the pictures; without one they are looked up in
    ids, file names and metadata, and with pictures beside them the two rankings are fused. Each result then says which
    found it: vector, text or both (`found_by` in --json).
    """
    from dataclasses import astuple

    from ..collection import parse
    from ..collection.likeness import parse_like
    from ..detect.box import parse_box
    from ..images import read_source

    understood = _with_stdin(parse(query))
    if truth and not picture:
        raise click.UsageError("--truth marks the pictures of --picture FILE; for figures use `lookalike evaluate`.")
    if label and not truth:
        raise click.UsageError("--label goes with --truth.")
    if null and not paths:
        raise click.UsageError("--null goes with --paths.")
    if fusion and not spaces:
        raise click.UsageError("--fusion goes with --spaces.")
    matcher = None
    if verify:
        from ..local import create_matcher

        matcher = create_matcher(verify)
    options: dict[str, Any] = {
        "min_relevance": min_relevance,
        "not_same": not_same,
        "group_by": group_by,
        "spaces": spaces,
        "fusion": "rrf" if fusion == "rrf" else "sum",
        "where": where,
        "merge": merge,
        "metadata": metadata,
        "like": parse_like(like),
        "augment": augment,
    }
    address = server_of(collection)
    if address:
        refuse_options(address, _NOT_THERE)
        with connect(address) as there:
            if box:
                options["box"] = astuple(parse_box(box))
            found = there.search(understood, k, **options)
            if picture:
                from .picture import draw_remote

                draw_remote(there, found, picture)
                say.message(f"Wrote {picture}.")
            _show(found, paths, null, thumbnails, as_json, lambda hit: there.picture(hit, side=160))
        return 0
    with open_collection(collection, device=device) as photos:
        if box or subject:
            understood = _cut(photos, understood, box, subject)
        results = photos.search(understood, max(k, verify_depth) if verify else k, **options)
        if matcher is not None:
            from ..collection.verify import query_picture, verified

            results = verified(results, query_picture(understood, photos.store), matcher, k=k)
        if picture:
            from .picture import draw_search

            draw_search(photos, results, picture, truth, label)
            say.message(f"Wrote {picture}.")
        _show(results, paths, null, thumbnails, as_json, lambda hit: read_source(hit.source))
    return 0


def _show(
    results: Results, paths: bool, null: bool, thumbnails: bool | None, as_json: bool, read: Callable[[Any], bytes]
) -> None:
    if as_json:
        say.result(results.to_json())
    elif paths:
        say.paths([hit.source for hit in results], null=null)
    else:
        _table(results, thumbnails, read)
    if results.note and not as_json:
        say.message(results.note)


def _name(hit: Any) -> str:
    """Return what a person calls a hit: its file, or, of a server, its id."""
    return printable(hit.id if hasattr(hit, "link") else hit.source)


def _cut(photos: Any, query: Any, box: str | None, subject: str | None) -> Any:
    """Return the query with its picture cut to the box or the subject."""
    from ..collection.cropping import cropped
    from ..detect.box import parse_box

    cut, notes = cropped(query, lambda: photos.embedder, box=parse_box(box) if box else None, subject=subject)
    for note in notes:
        say.message(note)
    return cut


def _with_stdin(query: Any) -> Any:
    """Read the image that comes on standard input, for the item that stands for it."""
    from dataclasses import replace

    from ..errors import BadQuery
    from ..types import Query

    if sum(item.kind == "stdin" for item in query.items) > 1:
        raise BadQuery("stdin: can be given once: there is one standard input.")
    items = []
    for item in query.items:
        if item.kind == "stdin":
            data = sys.stdin.buffer.read()
            if not data:
                raise BadQuery(
                    "standard input was empty.", hint="Pipe an image into it: lookalike search stdin: < cat.jpg"
                )
            item = replace(item, payload=data)
        items.append(item)
    return Query(tuple(items))


def _table(results: Any, thumbnails: bool | None, read: Callable[[Any], bytes]) -> None:
    if not len(results):
        return
    # Words may be compared with pictures or looked up: then every hit says which of the two found it.
    by_words = any(item.kind == "text" for item in results.query.items)
    if not sys.stdout.isatty():
        for hit in results:
            # One record a line whatever the name: a newline in it is shown as \n.
            relevance = "" if hit.relevance is None else f"{hit.relevance:.3f}\t"
            relevance += "" if hit.verified is None else f"{hit.verified:.4f}\t"
            found_by = f"{hit.found_by}\t" if by_words else ""
            box = hit.region
            place = "" if box is None else f"\t{box.x0},{box.y0},{box.x1},{box.y1}"
            click.echo(f"{hit.score:.4f}\t{relevance}{found_by}{_name(hit)}{place}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    pictures = _thumbnails(results, read) if thumbnails in (None, True) else {}
    table = Table(box=None, pad_edge=False)
    table.add_column("", justify="right", style="dim")
    table.add_column("score", justify="right")
    calibrated = any(hit.relevance is not None for hit in results)
    if calibrated:
        table.add_column("relevance", justify="right")
    checked = any(hit.verified is not None for hit in results)
    if checked:
        table.add_column("verified", justify="right")
    if by_words:
        table.add_column("found by")
    if pictures:
        table.add_column("")
    table.add_column("image", overflow="fold")
    # Fused ranks give sums of 1 / (60 + rank), which three digits would not tell apart.
    digits = 4 if any(hit.found_by != "vector" for hit in results) else 3
    for hit in results:
        cells: list[Any] = [str(hit.rank), f"{hit.score:.{digits}f}"]
        if calibrated:
            cells.append("" if hit.relevance is None else f"{hit.relevance:.0%}")
        if checked:
            cells.append("" if hit.verified is None else f"{hit.verified:.3f}")
        if by_words:
            cells.append(hit.found_by)
        if pictures:
            cells.append(pictures.get(hit.rank, ""))
        table.add_row(*cells, Text(_name(hit)))
    console.print(table)


def _thumbnails(results: Any, read: Callable[[Any], bytes]) -> dict[int, Any]:
    from ..errors import LookalikeError
    from ..images.decode import decode
    from ..images.thumbnails import terminal_image

    pictures: dict[int, Any] = {}
    for hit in results:
        try:
            shown = terminal_image(decode(read(hit), input_size=128).pixels, columns=12)
        except LookalikeError:
            continue  # the row itself still says where the image was
        if shown is None:
            return {}
        pictures[hit.rank] = shown
    return pictures
