"""``lookalike calibrate``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from ..images.printable import printable
from . import say
from .options import as_json, collection_option, open_collection

if TYPE_CHECKING:
    from ..collection.calibration import Calibration

__all__ = ["command"]

LEVELS = (0.5, 0.9)
NAMED = 5


@click.command("calibrate", short_help="Learn which score means which probability of being relevant.")
@click.option("--truth", required=True, metavar="PATH", type=click.Path(), help="What belongs together.")
@click.option("--format", "truth_format", metavar="NAME", help="Of the truth. Default: seen from the file.")
@click.option("--protocol", metavar="NAME", help="Who searches what. Default: what the truth asks for.")
@collection_option
@click.option(
    "-k", "k", type=click.IntRange(1), default=20, show_default=True, help="Results of each query learnt from."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the held-out parts and the interval.")
@click.option("--plot", metavar="FILE", type=click.Path(), help="Draw predicted against observed (.svg, .png).")
@as_json
def command(
    truth: str,
    truth_format: str | None,
    protocol: str | None,
    collection: str | None,
    k: int,
    seed: int,
    plot: str | None,
    as_json: bool,
) -> int:
    """Learn from known labels which score means which probability of being relevant.

    The images of the truth search for one another, as in `lookalike evaluate`. What is learnt is stored with the
    collection: from then on `search` shows how likely each result is to be relevant, and takes --min-relevance. The
    error is measured on queries whose whole label was held out.
    """
    from ..collection.calibration import write_calibration
    from ..evaluate.calibrate import calibrate
    from ..evaluate.outside import with_outside
    from ..evaluate.protocols import run_protocol
    from ..evaluate.reliability_plot import save_reliability
    from ..evaluate.truth import join, read_truth

    known = read_truth(truth, format=truth_format)
    with open_collection(collection) as photos:
        joined = with_outside(photos, join(known, photos))
        evaluation = run_protocol(photos, joined, protocol, cut=k, shown=k, seed=seed)
        made = calibrate(evaluation, photos.space.fingerprint, seed=seed)
        if plot:
            save_reliability(made.bins, plot, title=f"{photos.path.name}: held-out queries")
        write_calibration(photos.store, photos.space, made.calibration)
        where = str(photos.path)
    found = made.calibration
    skipped = {"unmatched": len(joined.unmatched), **evaluation.skipped}
    if as_json:
        say.result(
            {
                **_figures(found),
                "bins": made.bins.to_json(),
                "protocol": dict(evaluation.protocol),
                "skipped": skipped,
            }
        )
        return 0
    if math.isnan(found.ece):
        say.message("One query alone says nothing of the error on others.")
    else:
        interval = "" if math.isnan(found.ece_low) else f"  [{found.ece_low:.4f}, {found.ece_high:.4f}]"
        click.echo(f"{'ece':14} {found.ece:.4f}{interval}  n={found.n}")
    for level in LEVELS:
        score = found.score_at(level)
        most = float(found.probabilities[-1])
        said = f"none: at most {most:.0%}" if score is None else f"{score:.4f}"
        click.echo(f"{f'{level:.0%} at score':14} {said}")
    say.message(
        f"Learnt from the first {found.depth} results of {found.queries} queries; the error (expected calibration "
        "error, 95% interval) is of queries whose label was held out."
    )
    for note in (*known.notes, *joined.notes):
        say.message(note)
    if joined.unmatched:
        some = ", ".join(printable(name) for name in joined.unmatched[:NAMED])
        say.message(f"{len(joined.unmatched)} names of {truth} join no image: {some}")
    say.message(f"Stored in {printable(where)}: `lookalike search` now shows relevance, and takes --min-relevance.")
    return 0


def _figures(found: Calibration) -> dict[str, Any]:
    ends = {"value": found.ece, "low": found.ece_low, "high": found.ece_high}
    return {
        "ece": {**{name: None if math.isnan(value) else value for name, value in ends.items()}, "n": found.n},
        "score_at": {f"{level:g}": found.score_at(level) for level in LEVELS},
        "queries": found.queries,
        "depth": found.depth,
        "created": found.created,
    }
