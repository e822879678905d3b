"""How an evaluation is shown in a terminal: its figures on stdout, what stands behind them on stderr."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..images.printable import printable
from . import say

if TYPE_CHECKING:
    from ..evaluate.evaluation import Evaluation
    from ..evaluate.summary import Estimate
    from ..evaluate.truth import Joined

__all__ = ["by_class", "explain", "facts_of", "print_figures"]

NAMED = 5
REASONS = {  # of one, and of several
    "no_other_of_its_label": (
        "1 image is alone with its label: it is in the base, not among the queries.",
        "{} images are alone with their label: they are in the base, not among the queries.",
    ),
    "ambiguous": (
        "1 name of the truth fits several images: write more of its path.",
        "{} names of the truth fit several images: write more of their paths.",
    ),
    "queries_without_image": (
        "1 query has no image, neither in the collection nor beside the truth (see --queries).",
        "{} queries have no image, neither in the collection nor beside the truth (see --queries).",
    ),
}


def facts_of(
    evaluation: Evaluation, figures: Mapping[str, Estimate], *, average: str, by: str | None
) -> dict[str, Any]:
    """Return what ``--json`` says of the protocol: what was run, averaged and drawn."""
    from ..evaluate.metrics import parse_metric

    drawn = by or ("query" if evaluation.judged.classes is None else "label")
    facts: dict[str, Any] = {**evaluation.protocol, "average": average, "intervals": f"95%, bootstrapped by {drawn}"}
    base = int(facts["base"])
    deep = [key for key in figures if parse_metric(key)[1] > base]
    if deep:
        said = f"More results than the {base} images that are searched do not exist: see the cut of {', '.join(deep)}."
        facts["notes"] = [*facts.get("notes", []), said]
    return facts


def by_class(evaluation: Evaluation, figures: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    """Return class -> metric -> mean."""
    from ..evaluate.metrics import parse_metric
    from ..evaluate.summary import per_class

    keys = [key for key in figures if parse_metric(key)[0].kind == "query"]
    classes, values = per_class(evaluation.judged, keys)
    return {
        str(name): {key: None if (value := float(values[key][at])) != value else value for key in keys}
        for at, name in enumerate(classes)
    }


def print_figures(figures: Mapping[str, Estimate], table: Mapping[str, Mapping[str, float | None]]) -> None:
    """Print a line a metric, and the table by class where there is one."""
    for key, figure in figures.items():
        known = figure.low == figure.low  # one query, or one class, has no interval
        interval = f"  [{figure.low:.4f}, {figure.high:.4f}]" if known else "  [no interval]"
        click.echo(f"{key:14} {figure.value:.4f}{interval}  n={figure.n}")
    if table:
        keys = list(next(iter(table.values())))
        click.echo("\n" + "  ".join(f"{key:>12}" for key in keys) + "  class")
        for name, values in table.items():
            cells = ("-" if values[key] is None else f"{values[key]:.4f}" for key in keys)
            click.echo("  ".join(f"{cell:>12}" for cell in cells) + f"  {printable(name)}")


def explain(facts: Mapping[str, Any], evaluation: Evaluation, joined: Joined) -> None:
    """Say what was run, and what was left out."""
    asked = "query" if facts["queries"] == 1 else "queries"
    depth = "ranked whole" if facts["cut"] is None else f"first {facts['cut']} results judged"
    say.message(
        f"Protocol {facts['name']}: {facts['queries']} {asked}, {facts['base']} images searched, {depth}; "
        f"intervals: {facts['intervals']}."
    )
    for note in [*facts.get("notes", []), *facts.get("drawing", [])]:
        say.message(note)
    for reason, (one, several) in REASONS.items():
        if count := evaluation.skipped.get(reason):
            say.message(one if count == 1 else several.format(count))
    if count := evaluation.skipped.get("nothing_relevant"):
        one = "1 query has nothing to find in the base: it has no value, and is not averaged as 0"
        several = f"{count} queries have nothing to find in the base: they have no value, and are not averaged as 0"
        which = _with_lines(joined, _without_relevant(evaluation, joined), leading=True)
        say.message(f"{one if count == 1 else several}: {which}. Name what is relevant, or take it out of the truth.")
    if joined.unmatched:
        count = len(joined.unmatched)
        what = "1 name joins no image" if count == 1 else f"{count} names join no image"
        say.message(
            f"{what}: {_with_lines(joined, joined.unmatched)}. Index these images, or take the names out of "
            f"{printable(str(joined.truth.path))}."
        )


def _without_relevant(evaluation: Evaluation, joined: Joined) -> list[str]:
    """Return the queries to which nothing is relevant, as the truth names them."""
    judged = evaluation.judged
    ids = [] if judged.query_ids is None else [str(judged.query_ids[at]) for at in (~judged.defined).nonzero()[0]]
    places = [joined.position(id) for id in ids]
    return [id if at is None else joined.truth.names[at] for id, at in zip(ids, places, strict=True)]


def _with_lines(joined: Joined, names: Sequence[str], *, leading: bool = False) -> str:
    """Return the first few names, and where the truth's file has them."""
    from ..evaluate.truth.tables import line_of_each

    some = names[:NAMED]
    lines = line_of_each(joined.truth.path, some, leading=leading)
    said = (printable(name) + (f" (line {lines[name]})" if name in lines else "") for name in some)
    return ", ".join(said) + (", ..." if len(names) > NAMED else "")
