"""How an evaluation is shown in a terminal: its figures on stdout, what stands behind them on stderr."""

from __future__ import annotations

from collections.abc import Mapping
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
REASONS = {
    "no_other_of_its_label": "images are alone with their label: they are in the base, not among the queries.",
    "nothing_relevant": "queries have nothing to find in the base: they have no value, and are not averaged as 0.",
    "ambiguous": "names of the truth fit several images: write more of their paths.",
    "queries_without_image": "queries have no image, neither in the collection nor beside the truth (see --queries).",
}


def facts_of(evaluation: Evaluation, *, average: str, by: str | None) -> dict[str, Any]:
    """Return what ``--json`` says of the protocol: what was run, averaged and drawn."""
    drawn = by or ("query" if evaluation.judged.classes is None else "label")
    return {**evaluation.protocol, "average": average, "intervals": f"95%, bootstrapped by {drawn}"}


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
    for reason, text in REASONS.items():
        if evaluation.skipped.get(reason):
            say.message(f"{evaluation.skipped[reason]} {text}")
    if joined.unmatched:
        some = ", ".join(printable(name) for name in joined.unmatched[:NAMED])
        say.message(f"{len(joined.unmatched)} names of {joined.truth.path} join no image: {some}")
