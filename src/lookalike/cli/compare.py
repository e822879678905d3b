"""``lookalike compare``."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..errors import BadInput, NoSuchFile
from ..images.printable import printable
from . import say
from .metric_list import check_metrics
from .options import as_json, open_collection

if TYPE_CHECKING:
    from ..evaluate.comparison import Compared
    from ..evaluate.evaluation import Evaluation
    from ..evaluate.report.pictures import Records
    from ..evaluate.truth import Truth

__all__ = ["command"]

NAMED = 5
SHOWN = 10


class _How(NamedTuple):
    """What both sides are asked."""

    truth: Truth
    protocol: str | None
    queries: str | None
    boxes: bool
    cut: int | None
    seed: int
    images: Path | None


class _Side(NamedTuple):
    """One of the two: what it found, and where its images are."""

    evaluation: Evaluation
    records: Records


@click.command("compare", short_help="Say whether one search is better than another.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--truth", "truth_path", required=True, metavar="PATH", help="What belongs together, as for evaluate.")
@click.option("--format", "truth_format", metavar="NAME", help="Of the truth. Default: seen from the file.")
@click.option("--protocol", metavar="NAME", help="Who searches what. Default: what the truth asks for.")
@click.option("--queries", type=click.Path(), metavar="DIR", help="Queries that are not in the collections.")
@click.option("--boxes/--no-boxes", default=True, help="Cut images to the truth's boxes, as evaluate. Default: on.")
@click.option("--metric", "metrics", multiple=True, metavar="KEY", help="Repeatable. Default: the usual five.")
@click.option("--macro", is_flag=True, help="Every class counts alike, instead of every query.")
@click.option("--cut", type=click.IntRange(1), metavar="K", help="Judge the first K results only. Default: all.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the intervals and the test.")
@click.option("--report", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write an HTML report.")
@click.option("--images", type=click.Path(path_type=Path), metavar="DIR", help="Where the images of run files are.")
@as_json
def command(
    first: str,
    second: str,
    truth_path: str,
    truth_format: str | None,
    protocol: str | None,
    queries: str | None,
    boxes: bool,
    metrics: tuple[str, ...],
    macro: bool,
    cut: int | None,
    seed: int,
    report: Path | None,
    images: Path | None,
    as_json: bool,
) -> int:
    """Compare two searches of the same images, A and B, by a paired test on the same queries.

    A and B are collections, TREC run files, or COLLECTION@EMBEDDER for one that holds the vectors of several.

    \b
    lookalike compare old.collection new.collection --truth labels.csv
    lookalike compare photos.collection@builtin photos.collection@hog --truth labels.csv --report out
    lookalike compare first.run second.run --truth qrels.txt
    """
    from ..evaluate.comparison import compare_evaluations
    from ..evaluate.report import write_comparison
    from ..evaluate.truth import read_truth

    check_metrics(metrics)
    truth = read_truth(truth_path, format=truth_format)
    average: Any = "macro" if macro else "micro"
    with ExitStack() as opened:
        how = _How(truth, protocol, queries, boxes, cut, seed, images)
        sides = [_side(name, how, opened) for name in (first, second)]
        one, two = (side.evaluation for side in sides)
        compared = compare_evaluations(one, two, list(metrics) or None, average=average, seed=seed)
        written = report and write_comparison(
            compared,
            records=(sides[0].records, sides[1].records),
            names=(first, second),
            folder=report,
            average=average,
        )
    if as_json:
        say.result(_json(compared, sides))
    else:
        _print(compared)
        _say_left_out(compared)
    if written:
        say.message(f"The report is in {printable(str(written))} ({say.size(written.stat().st_size)}).")
    return 0


def _side(name: str, how: _How, opened: ExitStack) -> _Side:
    from ..evaluate.outside import with_outside
    from ..evaluate.protocols import run_protocol
    from ..evaluate.runs import evaluate_run, read_run
    from ..evaluate.truth import join

    path = Path(name).expanduser()
    ask: dict[str, Any] = {"cut": how.cut, "shown": SHOWN, "seed": how.seed}
    if path.is_file():
        return _Side(*evaluate_run(read_run(path, images=how.images), how.truth, how.protocol, **ask))
    folder, at, embedder = (name, "", "") if path.exists() else name.rpartition("@")
    if not path.exists() and not (at and Path(folder).expanduser().is_dir()):
        raise NoSuchFile(
            f"there is no collection and no run file {name!r}.",
            hint="Give the folder of a collection, COLLECTION@EMBEDDER, or a TREC run file.",
        )
    photos = opened.enter_context(open_collection(folder, embedder=embedder or None))
    if not len(photos):
        raise BadInput(f"the collection {folder} is empty.", hint=f"lookalike index FOLDER --collection {folder}")
    joined = with_outside(photos, join(how.truth, photos), how.queries, boxes=how.boxes)
    return _Side(run_protocol(photos, joined, how.protocol, **ask), photos.store)


def _json(compared: Compared, sides: list[_Side]) -> dict[str, Any]:
    metrics = {}
    for key, one in compared.metrics.items():
        figures = {"a": one.first, "b": one.second, "difference": one.difference, "low": one.low, "high": one.high}
        metrics[key] = {
            **{name: None if math.isnan(value) else value for name, value in figures.items()},
            "p": one.p,
            "p_adjusted": one.p_adjusted,
            "n": one.n,
            "verdict": one.verdict,
        }
    return {
        "metrics": metrics,
        "queries": len(compared),
        "left_out": compared.left_out,
        "protocol": {name: dict(side.evaluation.protocol) for name, side in zip("ab", sides, strict=True)},
        "skipped": {name: dict(side.evaluation.skipped) for name, side in zip("ab", sides, strict=True)},
    }


def _print(compared: Compared) -> None:
    from ..evaluate.comparison import verdict_in_words

    width = max(6, *(len(key) for key in compared.metrics))
    click.echo(f"{'metric':{width}}       A       B    B - A    interval             p  verdict")
    for key, one in compared.metrics.items():
        ends = f"[{one.low:+.4f}, {one.high:+.4f}]"
        click.echo(
            f"{key:{width}}  {one.first:.4f}  {one.second:.4f}  {one.difference:+.4f}  {ends:20} {one.p_adjusted:6.4f}"
            f"  {verdict_in_words(one)}"
        )


def _say_left_out(compared: Compared) -> None:
    say.message(
        f"{len(compared)} queries that both answered; 95% intervals of B - A, paired test, p corrected for the number "
        f"of metrics, {len(compared.metrics)} (Holm)."
    )
    for ids, why in (
        (compared.only_first, "queries are only in A"),
        (compared.only_second, "queries are only in B"),
        (compared.other_truth, "queries have another number of relevant images in A than in B"),
    ):
        if ids:
            some = ", ".join(printable(id) for id in ids[:NAMED])
            say.message(f"{len(ids)} {why}, and are not compared: {some}{', ...' if len(ids) > NAMED else ''}")
