"""``lookalike evaluate``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput
from ..images.printable import printable
from . import say
from .leak_check import check_leaks, leak_options
from .options import as_json, collection_option, open_collection

if TYPE_CHECKING:
    from ..collection import Collection
    from ..evaluate.evaluation import Evaluation
    from ..evaluate.summary import Estimate
    from ..evaluate.truth import Joined, Truth
    from ..evaluate.vector_files import VectorSet

__all__ = ["command"]

NAMED = 5
SHOWN = 10
RUN_DEPTH = 100
REASONS = {
    "no_other_of_its_label": "images are alone with their label: they are in the base, not among the queries.",
    "nothing_relevant": "queries have nothing to find in the base: they have no value, and are not averaged as 0.",
    "ambiguous": "names of the truth fit several images: write more of their paths.",
    "queries_without_image": "queries have no image, neither in the collection nor beside the truth (see --queries).",
}


@click.command("evaluate", short_help="Measure the search against images that are known to belong together.")
@click.option("--truth", required=True, metavar="PATH", type=click.Path(), help="A file or folder; see below.")
@collection_option
@click.option("--format", "format", metavar="NAME", help="Of the truth. Default: seen from its files and headers.")
@click.option("--label", metavar="COLUMN", help="The column of the labels in a CSV, if it is not called label.")
@click.option(
    "--overlap",
    type=click.Choice(["jaccard", "count", "any"]),
    help="Grade of images with several labels: shared over all (the default), the number shared, or yes and no.",
)
@click.option("--protocol", metavar="NAME", help="Who searches what. Default: what the truth asks for.")
@click.option("--queries", metavar="FOLDER", type=click.Path(), help="Images outside the collection that search.")
@click.option(
    "--vectors", multiple=True, metavar="NPY", type=click.Path(), help="Measure vectors of a file; two: queries, base."
)
@click.option("--names", multiple=True, metavar="TXT", type=click.Path(), help="What the vectors are of, one a line.")
@click.option("--metric", "metrics", multiple=True, metavar="KEY", help="Such as map or recall@10; repeatable.")
@click.option("--cut", type=click.IntRange(1), metavar="K", help="Judge the first K results only. Default: all.")
@click.option("--average", type=click.Choice(["micro", "macro"]), default="micro", help="Over queries, or classes.")
@click.option("--by", type=click.Choice(["class", "query"]), help="What the intervals draw. Default: classes if known.")
@click.option("--per-class", is_flag=True, help="A table by class as well.")
@click.option(
    "--run-out", metavar="FILE", type=click.Path(), help=f"Write a TREC run of the first {RUN_DEPTH} results."
)
@click.option("--report", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write an HTML report.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the intervals and of episodes.")
@leak_options
@as_json
def command(
    truth: str,
    collection: str | None,
    format: str | None,
    label: str | None,
    overlap: Any,
    protocol: str | None,
    queries: str | None,
    vectors: tuple[str, ...],
    names: tuple[str, ...],
    metrics: tuple[str, ...],
    cut: int | None,
    average: Any,
    by: Any,
    per_class: bool,
    run_out: str | None,
    report: Path | None,
    seed: int,
    as_json: bool,
    **leak_options: Any,
) -> int:
    """Measure the search against images that are known to belong together.

    The truth is a CSV (file,label or query,relevant,grade), a folder for each class, or a benchmark's own files. Its
    names join by id, else by the end of their path. An empty label marks a distractor.

    \b
    lookalike evaluate --truth labels.csv
    lookalike evaluate --truth gnd_roxford5k.pkl --protocol revisited-hard
    lookalike evaluate --truth labels.csv --protocol 20-way-1-shot
    lookalike evaluate --truth labels.csv --vectors features.npy --names files.txt
    """
    from dataclasses import replace

    from ..evaluate.defaults import default_metrics
    from ..evaluate.protocols import run_protocol
    from ..evaluate.summary import summarise
    from ..evaluate.truth import read_truth
    from ..evaluate.vector_files import VectorSet, load_set

    known = read_truth(truth, format=format, label=label)
    if overlap:
        known = replace(known, overlap=overlap)
    with ExitStack() as opened:
        searched: Collection | VectorSet
        if vectors:
            if collection or queries or report:
                raise BadInput("--vectors goes without --collection, --queries and --report: there are no images.")
            searched, known = load_set(vectors, names, known)
        else:
            searched = opened.enter_context(open_collection(collection))
        joined = _joined(searched, known, queries)
        leaks = None
        if not isinstance(searched, VectorSet):  # before any figure
            joined, leaks = check_leaks(searched, joined, protocol, seed=seed, **leak_options)
        shown = RUN_DEPTH if run_out else SHOWN
        evaluation = run_protocol(searched, joined, protocol, cut=cut, shown=shown, seed=seed)
        keys = list(metrics) or default_metrics(evaluation, few=as_json)
        figures = summarise(evaluation.judged, keys, average=average, by=by, seed=seed)
        if run_out:
            _write_run(evaluation, searched, run_out)
        if report:
            written = _report(evaluation, figures, searched, report, average=average, by=by, seed=seed)
    drawn = by or ("query" if evaluation.judged.classes is None else "label")
    facts = {**evaluation.protocol, "average": average, "intervals": f"95%, bootstrapped by {drawn}"}
    table = _by_class(evaluation, figures) if per_class else {}
    if as_json:
        answer: dict[str, Any] = {
            "metrics": {key: figure.as_json() for key, figure in figures.items()},
            "protocol": facts,
            "skipped": dict(evaluation.skipped),
        }
        if leaks is not None:
            answer["leaks"] = leaks
        say.result(answer | ({"per_class": table} if per_class else {}))
        return 0
    _print(figures, table)
    _explain(facts, evaluation, joined)
    if report:
        say.message(f"The report is in {printable(str(written))} ({say.size(written.stat().st_size)}).")
    return 0


def _joined(searched: Collection | VectorSet, truth: Truth, queries: str | None) -> Joined:
    from ..evaluate.outside import with_outside
    from ..evaluate.truth import join
    from ..evaluate.vector_files import VectorSet

    joined = join(truth, searched)
    return joined if isinstance(searched, VectorSet) else with_outside(searched, joined, queries)


def _write_run(evaluation: Evaluation, searched: Collection | VectorSet, path: str) -> None:
    from ..evaluate.trec_run import write_run

    lines = write_run(evaluation, path, names={record.row: record.id for record in searched})
    say.message(f"{lines} results are in {printable(path)}.")


def _report(
    evaluation: Evaluation, figures: dict[str, Estimate], searched: Collection | VectorSet, folder: Path, **how: Any
) -> Path:
    from ..evaluate.report import write_report
    from ..evaluate.vector_files import VectorSet

    if isinstance(searched, VectorSet):
        raise BadInput("a report shows images, and vectors from a file have none.")
    return write_report(evaluation, records=searched.store, folder=folder, figures=figures, **how)


def _by_class(evaluation: Evaluation, figures: dict[str, Estimate]) -> dict[str, dict[str, float | None]]:
    from ..evaluate.metrics import parse_metric
    from ..evaluate.summary import per_class

    keys = [key for key in figures if parse_metric(key)[0].kind == "query"]
    classes, values = per_class(evaluation.judged, keys)
    return {
        str(name): {key: None if (value := float(values[key][at])) != value else value for key in keys}
        for at, name in enumerate(classes)
    }


def _print(figures: dict[str, Estimate], table: dict[str, dict[str, float | None]]) -> None:
    for key, figure in figures.items():
        click.echo(f"{key:14} {figure.value:.4f}  [{figure.low:.4f}, {figure.high:.4f}]  n={figure.n}")
    if table:
        keys = list(next(iter(table.values())))
        click.echo("\n" + "  ".join(f"{key:>12}" for key in keys) + "  class")
        for name, values in table.items():
            cells = ("-" if values[key] is None else f"{values[key]:.4f}" for key in keys)
            click.echo("  ".join(f"{cell:>12}" for cell in cells) + f"  {printable(name)}")


def _explain(facts: dict[str, Any], evaluation: Evaluation, joined: Joined) -> None:
    depth = "ranked whole" if facts["cut"] is None else f"first {facts['cut']} results judged"
    say.message(
        f"Protocol {facts['name']}: {facts['queries']} queries, {facts['base']} images searched, {depth}; "
        f"intervals: {facts['intervals']}."
    )
    for note in [*facts.get("notes", []), *facts.get("drawing", [])]:
        say.message(note)
    for reason, text in REASONS.items():
        if evaluation.skipped.get(reason):
            say.message(f"{evaluation.skipped[reason]} {text}")
    if joined.unmatched:
        some = ", ".join(printable(name) for name in joined.unmatched[:NAMED])
        say.message(f"{len(joined.unmatched)} names of {joined.truth.path} join no image: {some}")
