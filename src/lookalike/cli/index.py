"""``lookalike index``."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..images.printable import printable
from . import say
from .options import as_json, collection_option, device_option
from .servers import connect, refuse_options, server_of

if TYPE_CHECKING:
    from ..images import FetchLimits

__all__ = ["command"]

_OPERATOR = "The server's operator chooses it, when the collection is made."
_SERVER = "The server does that work, as its operator set it up."
_NOT_THERE = {  # what indexing over a server cannot do, and what to do instead
    "embedder": _OPERATOR,
    "subject": _OPERATOR,
    "regions": _OPERATOR,
    "add_space": _OPERATOR,
    "prune": "A server knows no folders of yours: `lookalike remove ID...` takes images out.",
    "watch": "Run the command again from time to time: what is unchanged is not sent.",
    "estimate": "What is unchanged is not sent, and the bar says how long it will take.",
    "batch_size": _SERVER,
    "workers": _SERVER,
    "max_megapixels": _SERVER,
    "device": _SERVER,
}

NAMED = 20  # skipped entries that are named on the terminal; --json names up to 1000


@click.command("index", short_help="Add images to a collection.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@collection_option
@click.option("--embedder", metavar="NAME", help="What turns an image into a vector: builtin, hog, onnx:PATH, ...")
@click.option(
    "--subject",
    metavar="NAME",
    help="Embed what stands out instead of the whole image: saliency, content (on a plain ground), onnx:PATH or "
    "tflite:PATH of a detector or segmentation; with +whole behind the name, both in one vector.",
)
@click.option(
    "--regions",
    metavar="NAME",
    help="Beside the whole image, also embed parts of it, so that it is found by a thing in it: grid:2x2 (tiles), "
    "saliency, content, onnx:PATH or tflite:PATH of a detector or segmentation; several joined by +.",
)
@click.option("--add-space", is_flag=True, help="Let the collection hold this embedder's vectors beside the others'.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out files and folders so named; repeatable.")
@click.option("--hidden", is_flag=True, help="Also take files and folders whose name begins with a dot.")
@click.option("--prune", is_flag=True, help="Remove the records of files that are no longer there.")
@click.option("--prefix", metavar="TEXT", default="", help="Over a server: what stands before each image's id.")
@click.option("--watch", is_flag=True, help="Keep following the folders until Ctrl-C.")
@click.option("--estimate", is_flag=True, help="Only say how long it would take and how large it would be.")
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Images a model call takes.")
@click.option("--workers", type=click.IntRange(1), help="Threads that read and decode. Default: one a core.")
@click.option("--max-megapixels", type=click.FloatRange(0, min_open=True), default=200.0, show_default=True)
@click.option("--max-bytes", type=click.IntRange(1), default=200_000_000, show_default=True, help="Largest file.")
@device_option
@click.option("--quiet", is_flag=True, help="No progress bar.")
@as_json
def command(
    sources: tuple[str, ...],
    collection: str | None,
    embedder: str | None,
    subject: str | None,
    regions: str | None,
    add_space: bool,
    exclude: tuple[str, ...],
    hidden: bool,
    prune: bool,
    prefix: str,
    watch: bool,
    estimate: bool,
    batch_size: int,
    workers: int | None,
    max_megapixels: float,
    max_bytes: int,
    device: str,
    quiet: bool,
    as_json: bool,
) -> int:
    """Add images to a collection, which is made when it is not there.

    SOURCE is a folder, a file, a glob, a tar or zip archive, a CSV or Parquet list, a URL, or stdin: for a list of
    paths. What is unchanged is skipped; what was stopped goes on.
    """
    from ..collection import Options, default_path, learn, open
    from ..images import FetchLimits, scan
    from .progress import bar

    limits = FetchLimits(max_bytes=max_bytes)
    address = server_of(collection)
    if address:
        refuse_options(address, _NOT_THERE)
        return _upload(address, sources, prefix, exclude, hidden, limits, quiet, as_json)
    if prefix:
        raise click.UsageError("--prefix goes with a server: a collection in a folder tells folders apart by itself.")
    options = Options(batch_size=batch_size, max_megapixels=max_megapixels, workers=workers)
    if subject and regions:
        raise click.UsageError("--subject embeds a part of the image, --regions parts beside the whole: give one.")
    if regions:
        from ..embed.regions import regions_spec

        embedder = regions_spec(regions, embedder or "builtin")
    if subject:
        from ..embed.subject import subject_spec

        embedder = subject_spec(subject, embedder or "builtin")
    # A misspelt source must not leave an empty collection behind.
    for source in sources:
        scan(os.path.expanduser(source))
    taught = embedder and learn(
        embedder,
        sources,
        collection=collection,
        exclude=exclude,
        include_hidden=hidden,
        limits=limits,
        max_megapixels=max_megapixels,
        device=device,
    )
    target = Path(collection).expanduser() if collection else default_path()
    if estimate:
        with _place(target) as folder, open(folder, embedder=taught, add_space=add_space, device=device) as photos:
            estimated = photos.estimate(sources, exclude=exclude, include_hidden=hidden, options=options)
        return _show_estimate(target, estimated, as_json)
    with open(collection, embedder=taught, add_space=add_space, device=device) as photos:

        def run() -> Any:
            with bar(lambda: _count(sources, exclude, hidden), quiet=quiet or as_json) as progress:
                return photos.add(
                    sources,
                    exclude=exclude,
                    include_hidden=hidden,
                    prune_vanished=prune,
                    options=options,
                    limits=limits,
                    on_progress=progress,
                )

        report = run()
        if not as_json:
            _show(report, photos, prune)
        if watch and not report.stopped:
            from .watch import follow

            report.merge(
                follow(sources, photos.path, run, lambda more: None if as_json else _show(more, photos, prune))
            )
        if as_json:
            say.result({**report.to_json(), "images": len(photos), "collection": str(photos.path)})
    if report.stopped:
        return 130
    return 1 if report.skipped_count else 0


@contextlib.contextmanager
def _place(target: Path) -> Iterator[Path]:
    """Lend the collection's folder; where there is none, one for the moment: an estimate leaves nothing behind."""
    if target.exists():
        yield target
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / target.name


def _count(sources: Sequence[str], exclude: Sequence[str], hidden: bool) -> int | None:
    from ..errors import LookalikeError
    from ..images import scan

    if any(source in ("stdin:", "-") for source in sources):
        return None
    try:
        return sum(
            1 for source in sources for _ in scan(os.path.expanduser(source), exclude=exclude, include_hidden=hidden)
        )
    except LookalikeError:
        return None  # the run itself says what is wrong


def _upload(
    address: str,
    sources: Sequence[str],
    prefix: str,
    exclude: Sequence[str],
    hidden: bool,
    limits: FetchLimits,
    quiet: bool,
    as_json: bool,
) -> int:
    """Send the images to a server, which makes their vectors."""
    from .progress import bar

    with connect(address) as photos:
        with bar(lambda: _count(sources, exclude, hidden), quiet=quiet or as_json) as progress:
            report = photos.add(
                sources, prefix=prefix, exclude=exclude, include_hidden=hidden, limits=limits, on_progress=progress
            )
        count = len(photos)
        if as_json:
            say.result({**report.to_json(), "images": count, "collection": photos.url})
        else:
            _tell(report, count, photos.url)
            if count and not report.stopped:
                example = next((id for id in (record.id for record in photos) if printable(id) == id), None)
                named = f"--collection {shlex.quote(photos.url)}"
                if example is not None:
                    say.message(f"Next: lookalike search {named} {shlex.quote(f'id:{example}')}")
    if report.stopped:
        return 130
    return 1 if report.skipped_count else 0


def _show(report: Any, photos: Any, prune: bool) -> None:
    if report.vanished_count and not prune:
        say.message(f"{report.vanished_count} images are no longer there; --prune removes them from the collection.")
    count = len(photos)
    _tell(report, count, photos.path)
    if count and not report.stopped:
        say.message(f"Next: {_next_command(photos)}")


def _tell(report: Any, count: int, where: object) -> None:
    for skipped in report.skipped[:NAMED]:
        say.message(f"skipped {printable(skipped.source)}: {printable(skipped.error.message)}")
    if report.skipped_count > NAMED:
        say.message(f"... and {report.skipped_count - NAMED} more; --json names them.")
    parts = [f"{report.added} added"]
    for number, word in (
        (report.replaced, "replaced"),
        (report.unchanged, "unchanged"),
        (report.pruned, "removed"),
        (report.skipped_count, "skipped"),
    ):
        if number:
            parts.append(f"{number} {word}")
    done = report.added + report.replaced
    speed = f" ({done / report.seconds:.0f} images/s)" if done and report.seconds > 0 else ""
    head = "Stopped" if report.stopped else "Done"
    say.message(f"{head}: {', '.join(parts)} in {say.duration(report.seconds)}{speed}; {count} images in {where}.")
    if not (report.done or report.stopped):
        say.message("No images were found there. lookalike knows images by the suffixes of their names.")
    if report.stopped:
        say.message("What was done is kept. To go on, type the same command again.")


def _next_command(photos: Any) -> str:
    from ..collection import default_path

    # One whose name can be typed as it is shown.
    some = list(islice(iter(photos), 50))
    record = next((each for each in some if printable(each.source) == each.source), some[0])
    named = (
        "" if default_path().absolute() == photos.path.absolute() else f" --collection {shlex.quote(str(photos.path))}"
    )
    shown = printable(record.source) == record.source and Path(record.source).exists()
    what = record.source if shown else f"id:{record.id}"
    return f"lookalike search{named} {shlex.quote(printable(what))}"


def _show_estimate(target: Path, estimate: Any, as_json: bool) -> int:
    if as_json:
        say.result(estimate.to_json())
        return 0
    if not estimate.images:
        click.echo("No images were found there.")
        return 0
    if estimate.images == estimate.unchanged:
        click.echo(f"{estimate.images} images, all of them indexed already: nothing to do.")
        return 0
    click.echo(
        f"{estimate.images} images, {estimate.images - estimate.unchanged} of them new: about "
        f"{say.duration(estimate.seconds)} at {estimate.images_per_second:.0f} images/s (measured on "
        f"{estimate.sampled}), and {say.size(estimate.bytes)} in {target}."
    )
    return 0
