"""``lookalike weigh``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..images.printable import printable
from . import say
from .options import as_json, collection_option, open_collection

if TYPE_CHECKING:
    from ..evaluate.weigh import Gain, Weighed

__all__ = ["command"]

NAMED = 5


@click.command("weigh", short_help="Learn how much each vector space and metadata column should count.")
@click.option("--truth", required=True, metavar="PATH", type=click.Path(), help="What belongs together.")
@click.option("--format", "truth_format", metavar="NAME", help="Of the truth. Default: seen from the file.")
@click.option("--protocol", metavar="NAME", help="Who searches what. Default: what the truth asks for.")
@collection_option
@click.option("--spaces", metavar="A,B", help="The vector spaces that are weighed. Default: all of the collection.")
@click.option(
    "--metadata", metavar="COLUMN,...", default="", help="Metadata columns that are weighed too: tags,price:log."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the held-out parts and the intervals.")
@as_json
def command(
    truth: str,
    truth_format: str | None,
    protocol: str | None,
    collection: str | None,
    spaces: str | None,
    metadata: str,
    seed: int,
    as_json: bool,
) -> int:
    """Learn from known labels how much each vector space and metadata column should count.

    The images of the truth search for one another, as in `lookalike evaluate`, and the weights are those that rank best
    (by mAP). They are stored with the collection: `lookalike search --spaces learned` uses them. What they gain is
    measured on queries whose whole label was held out, against equal weights and against the best single space.
    """
    from ..collection.learned_weights import write_weights
    from ..collection.likeness import parse_columns
    from ..evaluate.truth import join, read_truth
    from ..evaluate.weigh import weigh

    known = read_truth(truth, format=truth_format)
    with open_collection(collection) as photos:
        names = [name.strip() for name in spaces.split(",")] if spaces else list(photos.store.spaces())
        joined = join(known, photos)
        found = weigh(photos, joined, names, parse_columns(metadata), protocol=protocol, seed=seed)
        write_weights(photos.store, found.weights)
        where = str(photos.path)
    if as_json:
        say.result(_figures(found, len(joined.unmatched)))
        return 0
    for name in names:
        click.echo(f"{printable(name):40} {found.weights.spaces.get(name, 0.0):.3f}")
    for each in found.weights.metadata:
        click.echo(f"{printable(each.column):40} {each.weight:.3f}")
    click.echo(
        f"{'map, learned, held out':40} {found.value:.4f}  [{found.low:.4f}, {found.high:.4f}]  n={found.queries}"
    )
    _line("against equal weights", found.equal)
    _line("against the best single space", found.single)
    if joined.unmatched:
        some = ", ".join(printable(name) for name in joined.unmatched[:NAMED])
        say.message(f"{len(joined.unmatched)} names of {truth} join no image: {some}")
    say.message(f"Stored in {printable(where)}: `lookalike search --spaces learned` uses them.")
    return 0


def _line(what: str, gain: Gain) -> None:
    interval = f"[{gain.low:+.4f}, {gain.high:+.4f}]"
    click.echo(f"{what:40} {gain.difference:+.4f}  {interval}  p={gain.p:.3g}  {gain.verdict}")


def _figures(found: Weighed, unmatched: int) -> dict[str, Any]:
    def gain(each: Gain) -> dict[str, Any]:
        return {
            "value": each.value,
            "difference": each.difference,
            "low": each.low,
            "high": each.high,
            "p": each.p,
            "verdict": each.verdict,
        }

    return {
        "spaces": dict(found.weights.spaces),
        "metadata": {each.column: each.weight for each in found.weights.metadata},
        "map": {"value": found.value, "low": found.low, "high": found.high, "n": found.queries},
        "against_equal": gain(found.equal),
        "against_best_single": {"space": found.best_single, **gain(found.single)},
        "skipped": {"unmatched": unmatched},
    }
