"""``lookalike evaluate --benchmark``: index a benchmark's images, run its protocols, show its figures."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import BadInput
from ..images.printable import printable
from . import say
from .figures import by_class, explain, facts_of, print_figures

if TYPE_CHECKING:
    from ..collection import Collection
    from ..evaluate.benchmarks import Material
    from ..evaluate.benchmarks.running import Prepared

__all__ = ["benchmark_options", "evaluate_benchmark", "no_benchmark"]

F = TypeVar("F", bound=Callable[..., Any])
LIST = "list"
# What a benchmark fixes itself: its truth, who searches what, and what counts.
FIXED = ("truth", "format", "label", "overlap", "protocol", "queries", "vectors", "names", "cut", "run_out")
FIXED_LEAKS = ("train", "exclude_leaks")
SHOWN = 10


def benchmark_options(command: F) -> F:
    """``--benchmark``, ``--data``, ``--embedder``, ``--held-out`` and ``--all``."""
    for option in (
        click.option("--all", "part", flag_value="all", help="With --benchmark: all classes."),
        click.option(
            "--held-out",
            "part",
            flag_value="held-out",
            help="With --benchmark: the classes that no training saw, where it has such. The default.",
        ),
        click.option("--embedder", metavar="NAME", help="With --benchmark: what turns its images into vectors."),
        click.option("--data", metavar="DIR", type=click.Path(), help="With --benchmark: where its files lie."),
        click.option(
            "--benchmark", metavar="NAME", help="A benchmark by its name, in place of --truth; `list` names them."
        ),
    ):
        command = option(command)
    return command


def no_benchmark(parameters: dict[str, Any]) -> None:
    """Refuse what only a benchmark takes, and a missing truth.

    Raises:
        click.UsageError: either.
    """
    alone = [name for name in ("data", "embedder", "part") if parameters[name]]
    if alone:
        word = "--all or --held-out" if alone[0] == "part" else f"--{alone[0]}"
        raise click.UsageError(f"{word} belongs to --benchmark NAME.")
    if parameters["truth"] is None:
        raise click.UsageError("Missing option '--truth' (or '--benchmark').")


def evaluate_benchmark(parameters: dict[str, Any]) -> int:
    """Run it; ``parameters`` are those of ``lookalike evaluate``.

    Raises:
        BadInput: no folder, or options that a benchmark fixes itself.
    """
    from ..collection import open
    from ..evaluate.benchmarks import benchmark, read_benchmark
    from ..evaluate.benchmarks.running import index_benchmark, taught_by
    from .progress import bar

    name, data = parameters["benchmark"], parameters["data"]
    if name == LIST:
        return _list(as_json=parameters["as_json"])
    fixed = [each for each in (*FIXED, *FIXED_LEAKS) if parameters[each]]
    if fixed:
        words = ", ".join(f"--{each.replace('_', '-')}" for each in fixed)
        raise BadInput(f"the benchmark {name!r} fixes what {words} would say.", hint="Leave it out, or use --truth.")
    found = benchmark(name)
    if data is None:
        raise BadInput(
            f"the benchmark {name!r} needs its files.", hint=f"Name their folder, --data DIR: {found.layout}"
        )
    material = read_benchmark(name, data, part=parameters["part"] or "held-out")
    with ExitStack() as opened:
        where = parameters["collection"]
        if where is None:
            where = str(Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="lookalike-"))) / "collection")
        embedder = parameters["embedder"]
        if embedder is not None:
            embedder = taught_by(embedder, material, collection=Path(where), seed=parameters["seed"])
        photos = opened.enter_context(open(where, embedder=embedder))
        with bar(lambda: len(material.names), quiet=bool(parameters["as_json"])) as on_progress:
            report = index_benchmark(photos, material, on_progress=on_progress)
        for skipped in report.skipped[:3]:
            say.message(f"skipped: {printable(skipped.source)}: {printable(skipped.error.message)}")
        about = {
            "name": name,
            "part": material.part or "all",
            "embedder": photos.space.name,
            "images": report.added + report.replaced + report.unchanged,
            "source": found.source,
        }
        if not parameters["as_json"]:
            say.message(_heading(about, material))
        answers = [_run(photos, material, at, parameters) for at in range(len(material.runs))]
    if parameters["as_json"]:
        further = {run.name: answer for run, answer in zip(material.runs[1:], answers[1:], strict=True)}
        about |= {"run": material.runs[0].name} if material.runs[0].name else {}
        say.result({**answers[0], "benchmark": about, **({"further": further} if further else {})})
    return 1 if report.skipped_count else 0


def _run(photos: Collection, material: Material, at: int, parameters: dict[str, Any]) -> dict[str, Any]:
    """Measure one run, show it unless ``--json`` was asked for, and return what ``--json`` says of it."""
    from ..evaluate.benchmarks.running import prepare, run_benchmark
    from ..evaluate.clustered import summarise_all
    from ..evaluate.report import write_report
    from ..evaluate.value_table import write_values

    run = material.runs[at]
    how = {"average": parameters["average"], "by": parameters["by"], "seed": parameters["seed"]}
    prepared = prepare(photos, run, seed=parameters["seed"], boxes=parameters["boxes"])
    leaks = None if material.copies or not parameters["leak_check"] else _leaks(photos, prepared)
    evaluation = run_benchmark(photos, prepared, shown=SHOWN)
    keys = list(parameters["metrics"]) or list(run.metrics)
    figures = summarise_all(evaluation.judged, keys, searcher=photos.searcher, joined=prepared.joined, **how)
    facts = facts_of(evaluation, figures, average=parameters["average"], by=parameters["by"])
    table = by_class(evaluation, figures) if parameters["per_class"] else {}
    if not parameters["as_json"]:
        if run.name:
            click.echo(f"{chr(10) * bool(at)}{run.name}")
        print_figures(figures, table)
        explain(facts, evaluation, prepared.joined)
    if parameters["per_query"]:
        path = Path(parameters["per_query"])
        path = path.with_stem(f"{path.stem}-{run.name}") if run.name else path
        count = write_values(evaluation.judged, keys, path)
        say.message(f"The values of {count} queries are in {printable(str(path))}.")
    if parameters["report"]:
        folder = parameters["report"] / run.name if run.name else parameters["report"]
        written = write_report(evaluation, records=photos.store, folder=folder, figures=figures, **how)
        say.message(f"The report is in {printable(str(written))} ({say.size(written.stat().st_size)}).")
    return {
        "metrics": {key: figure.as_json() for key, figure in figures.items()},
        "protocol": facts,
        "skipped": dict(evaluation.skipped),
        **({"leaks": leaks} if leaks is not None else {}),
        **({"per_class": table} if table else {}),
    }


def _leaks(photos: Collection, prepared: Prepared) -> dict[str, Any]:
    found = prepared.leaks(photos)
    for sentence in found.sentences():
        say.message(sentence)
    return {**found.to_json(), "excluded": False}


def _heading(about: dict[str, Any], material: Material) -> str:
    part = {
        "": "",
        "held-out": ", held-out classes only: queries and base (--all for all classes)",
        "all": ", all classes, those included that training may have seen",
    }[material.part]
    return f"Benchmark {about['name']}: {about['images']} images by {about['embedder']}{part}."


def _list(*, as_json: bool) -> int:
    from ..evaluate.benchmarks import BENCHMARKS

    if as_json:
        kinds = ("about", "layout", "source")
        listed = {name: {kind: getattr(b, kind) for kind in kinds} for name, b in BENCHMARKS.items()}
        say.result({"benchmarks": listed})
        return 0
    for name, found in BENCHMARKS.items():
        click.echo(f"{name:14} {found.about}\n{'':14} {found.layout}")
    return 0
