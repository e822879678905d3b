"""``lookalike evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..images.printable import printable
from . import say
from .options import as_json, collection_option, open_collection

__all__ = ["command"]

NAMED = 5


@click.command("evaluate", short_help="Measure the search against known labels.")
@click.option(
    "--truth", required=True, metavar="CSV", type=click.Path(), help="file,label: images that belong together."
)
@collection_option
@click.option("--metric", "metrics", multiple=True, metavar="KEY", help="Default: map and hit_rate@1; repeatable.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap intervals.")
@as_json
def command(truth: str, collection: str | None, metrics: tuple[str, ...], seed: int, as_json: bool) -> int:
    """Measure the search: every labelled image searches for the others of its label.

    Files of the truth join by id, else by the end of their path. An empty label marks a distractor.
    """
    from ..evaluate.labels import read_labels
    from ..evaluate.leave_one_out import leave_one_out
    from ..evaluate.summary import summarise

    labels = read_labels(Path(truth))
    with open_collection(collection) as photos:
        joined = labels.join(photos)
        judged = leave_one_out(photos.searcher, joined.rows, len(photos))
    figures = summarise(judged, list(metrics or ("map", "hit_rate@1")), seed=seed)
    lone = sum(1 for label in joined.rows.values() if label) - len(judged)
    protocol = {"name": "leave-one-out", "queries": len(judged), "intervals": "95%, bootstrapped by label"}
    skipped = {"unmatched": len(joined.unmatched), "no_other_of_its_label": lone}
    if as_json:
        answer: dict[str, Any] = {
            "metrics": {key: figure.as_json() for key, figure in figures.items()},
            "protocol": protocol,
            "skipped": skipped,
        }
        say.result(answer)
        return 0
    for key, figure in figures.items():
        click.echo(f"{key:14} {figure.value:.4f}  [{figure.low:.4f}, {figure.high:.4f}]  n={figure.n}")
    say.message(
        f"Each of {len(judged)} images searched for the others of its label; intervals: {protocol['intervals']}."
    )
    if lone:
        say.message(f"{lone} images are alone with their label: they are in the base, not among the queries.")
    if joined.unmatched:
        some = ", ".join(printable(name) for name in joined.unmatched[:NAMED])
        say.message(f"{len(joined.unmatched)} names of {truth} join no image: {some}")
    return 0
