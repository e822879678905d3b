"""``lookalike train``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..images.printable import printable
from . import say
from .options import as_json

if TYPE_CHECKING:
    from ..train import Progress, Trained

__all__ = ["command"]

NAMED = 5

# option -> (help, metavar); the type and the default are those of the field of ``train.Settings``
SETTINGS = {
    "backbone": ("The network: timm:NAME, torchvision:NAME, hf:ORG/NAME; ?weights=none starts at random.", "NAME"),
    "pooling": ("Of its features: auto, gem, average, max, r-mac, netvlad, cgd, drop-block, cls, patch-mean.", "NAME"),
    "head": ("What makes the vector: linear, bnneck or mlp.", "NAME"),
    "dimensions": ("Length of the vector; 0 keeps what the pooling gives.", "N"),
    "matryoshka": ("Shorter prefixes that are trained too, such as 32,64.", "N,N"),
    "side": ("Pixels of the square that the network reads; 0: the backbone's own.", "PIXELS"),
    "loss": ("A loss, or several with weights (arcface+triplet:0.5); auto fits the labels.", "NAME"),
    "miner": ("Which pairs of a batch count: none, hard, semi-hard, multi-similarity, ...", "NAME"),
    "memory": ("Vectors of earlier batches that are compared too (XBM).", "N"),
    "sampler": ("Who stands in a batch: auto, random, per-class, hierarchical, hard, pairs, triplets.", "NAME"),
    "batch": ("Images in a batch.", "N"),
    "per_class": ("Images of one class in a batch.", "N"),
    "epochs": ("Passes over the images.", "N"),
    "steps": ("Steps in all, instead of epochs.", "N"),
    "rate": ("Highest learning rate.", "X"),
    "backbone_rate": ("The same for a pretrained backbone, as a share of --rate.", "X"),
    "loss_rate": ("The same for a loss's own weights.", "X"),
    "decay": ("Weight decay.", "X"),
    "warmup": ("Share of the steps in which the rate rises.", "X"),
    "accumulate": ("Batches whose gradients are added before a step.", "N"),
    "ema": ("Decay of a running mean of the weights, which is what comes out; 0: none.", "X"),
    "precision": ("auto, float32, bfloat16 or float16.", "NAME"),
    "augment": ("How strongly images are changed: none, light, medium, strong.", "NAME"),
    "flip": ("Mirror images at random; not for logos, text, characters.", None),
    "validation": ("Share that is kept apart to measure on, by whole classes where there are ten.", "X"),
    "test": ("Share that nothing is picked by: measured once, at the end.", "X"),
    "metric": ("Of the validation, which picks the best weights.", "KEY"),
    "patience": ("Looks without a better value before it stops; 0: never.", "N"),
    "evaluate_every": ("Epochs between two looks.", "N"),
    "teacher": ("An embedder whose vectors are imitated.", "NAME"),
    "teacher_weight": ("Of that, beside the labels.", "X"),
    "seed": ("Of everything random.", "N"),
    "device": ("auto, cpu, cuda or mps.", "NAME"),
    "devices": ("GPUs that train together (processes, on a CPU); torchrun works too.", "N"),
    "threads": ("That decode images; 0: one a core.", "N"),
    "cache_mb": ("Of decoded images that are kept in memory.", "MB"),
    "save_every": ("Seconds between two checkpoints.", "SECONDS"),
}


def _settings(function: Callable[..., Any]) -> Callable[..., Any]:
    for name, (text, metavar) in reversed(SETTINGS.items()):
        words = f"--{name.replace('_', '-')}"
        if name == "flip":
            option = click.option("--flip/--no-flip", default=None, help=text)
        else:
            option = click.option(words, name, default=None, metavar=metavar, help=text)
        function = option(function)
    return function


@click.command("train", short_help="Train a model on images and what is known of them: labels, pairs, or nothing.")
@click.option("--images", required=True, multiple=True, metavar="SOURCE", help="Folders, archives or lists of images.")
@click.option("--labels", metavar="PATH", help="What belongs together. Default: the folder of each image is its class.")
@click.option("--format", "truth_format", metavar="NAME", help="Of the labels. Default: seen from the file.")
@click.option("--label", metavar="COLUMN", help="The column of the labels in a CSV.")
@click.option("--unlabelled", is_flag=True, help="Train without labels, on views of single images.")
@click.option("--validate-on", metavar="PATH", help="Labels of images to measure on, instead of a share kept apart.")
@click.option("--test-on", metavar="PATH", help="Labels of images to test on, instead of a share (--test).")
@click.option("--allow-leak", is_flag=True, help="Measure even on copies of images that were trained on.")
@click.option("--out", required=True, metavar="FOLDER", help="The model. A run that was stopped goes on there.")
@click.option("--config", metavar="FILE", type=click.Path(), help="A TOML file of the settings below.")
@click.option("--restart", is_flag=True, help="Begin again, whatever is in --out.")
@click.option(
    "--int8", is_flag=True, help="Write the model in int8, too, and what that costs; of a finished run as well."
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.option("--sweep", is_flag=True, help="Compare losses under one budget, on unseen classes; makes no model.")
@click.option("--losses", metavar="A,B", help="Of the sweep. Default: fourteen of them.")
@click.option("--seeds", type=int, default=3, show_default=True, metavar="N", help="Of the sweep's reported runs.")
@click.option(
    "--loss-option", "loss_options", multiple=True, metavar="KEY=VALUE", help="Of the loss, such as margin=0.3."
)
@_settings
@as_json
def command(
    images: tuple[str, ...],
    labels: str | None,
    truth_format: str | None,
    label: str | None,
    unlabelled: bool,
    validate_on: str | None,
    test_on: str | None,
    allow_leak: bool,
    out: str,
    config: str | None,
    restart: bool,
    int8: bool,
    quiet: bool,
    sweep: bool,
    losses: str | None,
    seeds: int,
    loss_options: tuple[str, ...],
    as_json: bool,
    **settings: Any,
) -> int:
    """Train a model that turns images into vectors, and write it as a folder that `--embedder FOLDER` opens.

    \b
    lookalike train --images catalogue/ --out model/                      a folder for each class
    lookalike train --images photos/ --labels labels.csv --out model/     file,label; query,relevant; triplets; ...
    lookalike train --images photos/ --unlabelled --out model/            no labels at all
    lookalike train --images catalogue/ --sweep --out sweep/              which loss?

    Classes are kept apart to measure on; the weights that are best on those come out. Ctrl-C stops: the same command
    goes on.
    """
    from ..config import resolve_config
    from ..train import Settings, read_samples, train

    flags = {name: value for name, value in settings.items() if value is not None}
    if loss_options:
        flags["loss_options"] = dict(_option(text) for text in loss_options)
    if "matryoshka" in flags:
        flags["matryoshka"] = [part.strip() for part in flags["matryoshka"].split(",")]
    how = resolve_config(Settings, file=config, environment=os.environ, prefix="LOOKALIKE_TRAIN_", flags=flags)
    samples = read_samples(images, labels, format=truth_format, label=label, unlabelled=unlabelled)
    apart, tested = (read_samples(images, path, training=False) if path else None for path in (validate_on, test_on))
    first = os.environ.get("RANK", "0") == "0"  # torchrun starts this several times; one of them speaks
    if first:
        say.message(f"{len(samples):,} images, {_known(samples)}.")
    if sweep:
        return _sweep(samples, out, how, losses, seeds, as_json=as_json)
    try:
        with _bar(quiet=quiet or as_json or not first) as on_progress:
            made = train(
                samples,
                out,
                how,
                validation=apart,
                test=tested,
                allow_leak=allow_leak,
                restart=restart,
                int8=int8,
                on_progress=on_progress,
            )
    except KeyboardInterrupt:
        say.message(f"Stopped. The same command goes on; what was learned is in {printable(out)}.")
        raise
    if as_json and first:
        say.result(_json(made))
    elif first:
        _show(made)
    return 1 if made.broken else 0


def _sweep(samples: Any, out: str, how: Any, losses: str | None, seeds: int, *, as_json: bool) -> int:
    from dataclasses import asdict

    from ..train.sweep import DEFAULT_LOSSES, Outcome, sweep, table

    def done(outcome: Outcome) -> None:
        mean, low, high = outcome.metrics["map"]
        say.message(f"{outcome.loss}: map {mean:.4f} [{low:.4f}, {high:.4f}], rate {outcome.rate:g}")

    for note in samples.notes:
        say.message(note)
    names = [name.strip() for name in losses.split(",")] if losses else list(DEFAULT_LOSSES)
    outcomes = sweep(samples, out, how, losses=names, seeds=seeds, on_outcome=done)
    if as_json:
        say.result({"outcomes": [asdict(outcome) for outcome in outcomes]})
    else:
        click.echo(table(outcomes), nl=False)
    return 0


def _known(samples: Any) -> str:
    if samples.kind == "triplets":
        return f"{len(samples.triplets):,} triplets"
    if samples.kind == "pairs":
        return f"{len(samples.pairs):,} pairs"
    if samples.kind == "none":
        return "without labels"
    return f"{len(samples.labels.names):,} labels"


def _option(text: str) -> tuple[str, Any]:
    import json

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--loss-option takes KEY=VALUE, got {text!r}.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _show(made: Trained) -> None:
    for note in made.notes:
        say.message(note)
    for part, figures in (("validation", made.figures), ("test", made.test)):
        for key, value in figures.items():
            said = f"{key:12} {value.value:.4f}  [{value.low:.4f}, {value.high:.4f}]  n={value.n}"
            click.echo(f"{part:10} {said}" if made.test else said)
    if made.figures:
        say.message(
            "The validation picked the weights, so its figures are a little too good"
            + ("; those of the test are not." if made.test else "; --test 0.2 keeps images apart for others.")
        )
    if made.int8 is not None:
        say.message(made.int8.sentence())
    if made.broken:
        some = "; ".join(f"{printable(name)}: {why}" for name, why in list(made.broken.items())[:NAMED])
        say.message(f"{len(made.broken)} images could not be used: {some}")
    again = "went on and " if made.resumed else ""
    best = f"; the best weights are of step {made.best_step}" if made.figures else ""
    folder = printable(str(made.folder))
    say.message(
        f"{again}took {made.steps:,} steps with {made.loss} ({made.sampler} batches){best}. The model is in {folder}. "
        f"Next: lookalike index PICTURES --embedder {folder}"
    )


def _json(made: Trained) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "model": str(made.folder),
        "loss": made.loss,
        "sampler": made.sampler,
        "steps": made.steps,
        "best_step": made.best_step,
        "metrics": {key: value.as_json() for key, value in made.figures.items()},
        "test_metrics": {key: value.as_json() for key, value in made.test.items()},
        "int8": None if made.int8 is None else asdict(made.int8),
        "resumed": made.resumed,
        "skipped": {
            "count": len(made.broken),
            "entries": [{"id": printable(name), "message": why} for name, why in made.broken.items()],
        },
        "notes": list(made.notes),
    }


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Yield what to call with the progress; draws only on a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bars.add_task("training", total=None, epoch=1, said="")

    def show(progress: Progress) -> None:
        best = f", best {progress.metric} {progress.best:.3f}" if progress.best is not None else ""
        said = f"{progress.images_per_second:.0f} images/s, loss {progress.loss:.3f}{best}"
        bars.update(task, completed=progress.step, total=progress.steps, epoch=progress.epoch, said=said)

    with bars:
        yield show
