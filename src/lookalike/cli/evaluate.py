"""``lookalike evaluate``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput
from ..images.printable import printable
from . import say
from .benchmark import benchmark_options, evaluate_benchmark, no_benchmark
from .figures import by_class, explain, facts_of, print_figures
from .leak_check import check_leaks, leak_options
from .metric_list import LIST, check_metrics, list_metrics
from .options import as_json, collection_option, open_collection

if TYPE_CHECKING:
    from ..collection import Collection
    from ..evaluate.evaluation import Evaluation
    from ..evaluate.protocols import Searched
    from ..evaluate.summary import Estimate
    from ..evaluate.truth import Joined, Truth
    from ..evaluate.vector_files import VectorSet

__all__ = ["command"]

SHOWN = 10
RUN_DEPTH = 100


@click.command("evaluate", short_help="Measure the search against images that are known to belong together.")
@click.option("--truth", metavar="PATH", type=click.Path(), help="A file or folder; see below.")
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
    "--boxes/--no-boxes",
    default=True,
    help="Cut images to the truth's boxes, as Revisited Oxford and Paris and OML's CSV have them. Default: on.",
)
@click.option(
    "--vectors", multiple=True, metavar="NPY", type=click.Path(), help="Measure vectors of a file; two: queries, base."
)
@click.option("--names", multiple=True, metavar="TXT", type=click.Path(), help="What the vectors are of, one a line.")
@click.option(
    "--spaces", metavar="A,B:W", help="Measure several vector spaces together, or learned, as search --spaces has it."
)
@click.option("--fusion", type=click.Choice(["sum", "rrf"]), help="With --spaces, as in search.")
@click.option("--metadata-weight", "metadata", metavar="COLUMN:W,...", default="", help="As in search.")
@click.option(
    "--metric", "metrics", multiple=True, metavar="KEY", help="Such as map or recall@10; repeatable; or `list`."
)
@click.option("--cut", type=click.IntRange(1), metavar="K", help="Judge the first K results only. Default: all.")
@click.option("--average", type=click.Choice(["micro", "macro"]), default="micro", help="Over queries, or classes.")
@click.option("--by", type=click.Choice(["class", "query"]), help="What the intervals draw. Default: classes if known.")
@click.option("--per-class", is_flag=True, help="A table by class as well.")
@click.option("--per-query", metavar="FILE", type=click.Path(dir_okay=False), help="Write a CSV with a line a query.")
@click.option(
    "--run-out", metavar="FILE", type=click.Path(), help=f"Write a TREC run of the first {RUN_DEPTH} results."
)
@click.option("--report", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write an HTML report.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the intervals and of episodes.")
@leak_options
@benchmark_options
@as_json
def command(
    truth: str | None,
    collection: str | None,
    format: str | None,
    label: str | None,
    overlap: Any,
    protocol: str | None,
    queries: str | None,
    boxes: bool,
    vectors: tuple[str, ...],
    names: tuple[str, ...],
    spaces: str | None,
    fusion: Any,
    metadata: str,
    metrics: tuple[str, ...],
    cut: int | None,
    average: Any,
    by: Any,
    per_class: bool,
    per_query: str | None,
    run_out: str | None,
    report: Path | None,
    seed: int,
    as_json: bool,
    benchmark: str | None,
    data: str | None,
    embedder: str | None,
    part: str | None,
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
    lookalike evaluate --benchmark sop --data Stanford_Online_Products
    """
    parameters = click.get_current_context().params
    if LIST in metrics:
        return list_metrics(as_json=as_json)
    check_metrics(metrics)
    if benchmark is not None:
        return evaluate_benchmark(parameters)
    no_benchmark(parameters)
    from dataclasses import replace

    from ..evaluate.clustered import summarise_all
    from ..evaluate.defaults import default_metrics
    from ..evaluate.protocols import run_protocol
    from ..evaluate.truth import read_truth
    from ..evaluate.value_table import write_values
    from ..evaluate.vector_files import VectorSet, load_set

    known = read_truth(str(truth), format=format, label=label)
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
        joined = _joined(searched, known, queries, boxes=boxes)
        leaks = None
        if not isinstance(searched, VectorSet):  # before any figure
            joined, leaks = check_leaks(searched, joined, protocol, seed=seed, **leak_options)
        shown = RUN_DEPTH if run_out else SHOWN
        asked: Searched = searched
        if spaces or metadata:
            asked = _together(searched, joined, spaces, fusion, metadata)
        evaluation = run_protocol(asked, joined, protocol, cut=cut, shown=shown, seed=seed)
        keys = list(metrics) or default_metrics(evaluation)
        how: dict[str, Any] = {"average": average, "by": by, "seed": seed}
        figures = summarise_all(evaluation.judged, keys, searcher=asked.searcher, joined=joined, **how)
        if run_out:
            _write_run(evaluation, searched, run_out)
        if per_query:
            count = write_values(evaluation.judged, keys, per_query)
            say.message(f"The values of {count} queries are in {printable(per_query)}.")
        if report:
            written = _report(evaluation, figures, searched, report, **how)
    facts = facts_of(evaluation, figures, average=average, by=by)
    table = by_class(evaluation, figures) if per_class else {}
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
    print_figures(figures, table)
    explain(facts, evaluation, joined)
    if report:
        say.message(f"The report is in {printable(str(written))} ({say.size(written.stat().st_size)}).")
    return 0


def _joined(searched: Collection | VectorSet, truth: Truth, queries: str | None, *, boxes: bool) -> Joined:
    from ..evaluate.boxes import without_boxes
    from ..evaluate.outside import with_outside
    from ..evaluate.truth import join
    from ..evaluate.vector_files import VectorSet

    joined = join(truth, searched)
    if isinstance(searched, VectorSet):
        return without_boxes(joined, "Vectors from a file are what they are.")
    return with_outside(searched, joined, queries, boxes=boxes)


def _together(
    searched: Collection | VectorSet, joined: Joined, spaces: str | None, fusion: Any, metadata: str
) -> Searched:
    """Return what is searched by several spaces or with metadata, as `search` does it."""
    from ..evaluate.vector_files import VectorSet
    from ..evaluate.weigh import Searching

    if isinstance(searched, VectorSet) or joined.outside is not None:
        raise BadInput(
            "--spaces and --metadata-weight search by stored images.", hint="Add the queries to the collection first."
        )
    if joined.parts is not None:
        raise BadInput(
            "--spaces and --metadata-weight search by stored images, and the truth's boxes ask for parts of them.",
            hint="Add --no-boxes to compare whole images.",
        )
    searcher = searched.searching(spaces=spaces, fusion=fusion or "sum", metadata=metadata)
    return Searching(searcher, len(searched))


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
