"""The reality check: losses under one budget, tuned on validation classes, reported on classes that none has seen.

Published gains of one loss over another have often been those of a better tuned baseline: Musgrave, Belongie, Lim, "A
Metric Learning Reality Check", ECCV 2020. Here every loss has the same backbone, batches, steps and tries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadInput
from ..types import Image
from .losses import parse_losses
from .parts import without_copies
from .samples import Samples
from .settings import Settings
from .split import split
from .training import fit
from .validate import METRICS

__all__ = ["DEFAULT_LOSSES", "Outcome", "sweep", "table"]

DEFAULT_LOSSES = (
    *("arcface", "circle", "contrastive", "cosface", "multi-similarity", "normalised-softmax", "nt-xent"),
    *("proxy-anchor", "proxy-nca++", "smooth-ap", "softmax", "soft-triple", "supcon", "triplet"),
)
TRIES = (0.3, 1.0, 3.0)  # of the learning rate that was asked for
TEST = 0.3  # share of the classes that is reported on


@dataclass(frozen=True, slots=True)
class Outcome:
    """One loss.

    Attributes:
        loss: its name.
        rate: of the tries, the one that was best on the validation classes.
        validation: what it reached there.
        metrics: key -> the mean over seeds on the test classes, and its interval over seeds (Student's t).
        seeds: how many.
    """

    loss: str
    rate: float
    validation: float
    metrics: dict[str, tuple[float, float, float]]
    seeds: int


def sweep(
    samples: Samples,
    out: str | Path,
    settings: Settings,
    *,
    losses: Sequence[str] = DEFAULT_LOSSES,
    seeds: int = 3,
    tries: Sequence[float] = TRIES,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Train every loss with every try, then the best try with every seed; the best loss comes first.

    A sweep that was stopped goes on: runs that have ended are not done again.

    Args:
        samples: with a class each, at least 20 classes.
        out: a folder for the runs, ``sweep.json`` and ``README.md``.
        settings: of all runs; ``rate`` is the middle one.
        losses: names.
        seeds: of the runs that are reported; the split into classes stays the same.
        tries: what the rate is multiplied by.
        on_outcome: called with each loss that is done.

    Raises:
        BadInput: images without a class each, or too few classes.
    """
    for loss in losses:
        parse_losses(loss)
    if samples.kind != "classes" or len(np.unique(samples.classes)) < 20:
        raise BadInput("a sweep needs images with one class each, and 20 classes or more.")
    if seeds < 2:
        raise BadInput("an interval over seeds needs two seeds or more.")
    folder = Path(out).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    parts = split(samples, TEST, seed=settings.seed)
    seen, test = parts.train, parts.validation
    inner = split(seen, settings.validation or 0.2, seed=settings.seed)
    sides = {"training": inner.train, "validation": inner.validation, "test": test}
    without_copies(sides, settings, memory=folder / "copies.json")
    test = sides["test"]
    kept: dict[str, Image] = {}  # decoded once for all runs
    outcomes: list[Outcome] = []
    for loss in losses:
        tuned = [_tune(inner.train, sides["validation"], folder, settings, loss, factor, kept) for factor in tries]
        best, rate = max(tuned)
        chosen = replace(settings, loss=loss, rate=rate)
        runs = [_test(seen, test, folder, replace(chosen, seed=seed), kept) for seed in range(seeds)]
        metrics = {key: _over_seeds([run[key] for run in runs]) for key in METRICS}
        outcomes.append(Outcome(loss, rate, best, metrics, seeds))
        on_outcome(outcomes[-1])
    outcomes.sort(key=lambda outcome: -outcome.metrics["map"][0])
    said = {"settings": settings.to_json(), "test_images": len(test), "data": samples.digest}
    said["outcomes"] = [asdict(outcome) for outcome in outcomes]
    (folder / "sweep.json").write_text(json.dumps(said, indent=1), encoding="utf-8")
    (folder / "README.md").write_text(table(outcomes), encoding="utf-8")
    return outcomes


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as Markdown."""
    lines = [
        "| loss | rate | " + " | ".join(METRICS) + " | validation mAP |",
        "|---|---|" + "---|" * (len(METRICS) + 1),
    ]
    for outcome in outcomes:
        cells = [f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in (outcome.metrics[k] for k in METRICS)]
        lines.append(f"| `{outcome.loss}` | {outcome.rate:g} | {' | '.join(cells)} | {outcome.validation:.3f} |")
    return "\n".join(lines) + "\n"


def _tune(
    samples: Samples,
    validation: Samples,
    folder: Path,
    settings: Settings,
    loss: str,
    factor: float,
    kept: dict[str, Image],
) -> tuple[float, float]:
    """Return what a try reaches on the validation classes, and its rate."""
    rate = settings.rate * factor
    figures = _figures(samples, validation, folder, replace(settings, loss=loss, rate=rate), "tuned", kept)
    return figures["map"], rate


def _test(
    samples: Samples, test: Samples, folder: Path, settings: Settings, kept: dict[str, Image]
) -> dict[str, float]:
    # The last weights, not the best on the test classes: nothing is chosen there.
    last = replace(settings, patience=0, evaluate_every=max(1, settings.epochs))
    return _figures(samples, test, folder, last, "tested", kept)


def _figures(
    samples: Samples, apart: Samples, folder: Path, settings: Settings, kind: str, kept: dict[str, Image]
) -> dict[str, float]:
    name = f"{settings.loss}-{settings.rate:g}-{settings.seed}".replace("+", "_").replace(":", "_")
    run = folder / kind / name
    done = run / "figures.json"
    if done.is_file():
        before = json.loads(done.read_text(encoding="utf-8"))
        if before["settings"] == settings.to_json() and before["data"] == samples.digest:
            return dict(before["metrics"])
    figures = fit(samples, apart, run / "training", settings, kept=kept)
    metrics = {key: value.value for key, value in figures.items()}
    said: dict[str, Any] = {"settings": settings.to_json(), "data": samples.digest, "metrics": metrics}
    done.write_text(json.dumps(said), encoding="utf-8")
    return metrics


def _over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """Return mean, low and high of the 95% interval of the mean over seeds, by Student's t."""
    mean = float(np.mean(values))
    half = _t95(len(values) - 1) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return mean, mean - half, mean + half


def _t95(freedom: int) -> float:
    """Return the 97.5% point of Student's t."""
    table = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
    return table[freedom - 1] if freedom <= len(table) else 2.1
