"""A reality check of losses: one small network, one budget, the rate tuned on validation classes, unseen test classes.

The emoji of `../shared/data`, 600 designs by seven vendors, at 32 pixels. Every loss trains the same network from
random weights with the same steps and batches, three times with three rates; the rate that is best on validation
classes trains again with three seeds on all but the test classes, and the last weights are measured on those: each
image asks for the other drawings of its design. Intervals are over seeds (Student's t); they say how far a run is
from another, not what other classes would give. Beside them stand raw pixels, with an interval by class.

    python benchmarks/losses.py --out RUNS       # goes on where it was stopped; a process for each core
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness import SHARED, flagged, write_result
from lookalike.evaluate.protocols import run_protocol
from lookalike.evaluate.summary import summarise
from lookalike.evaluate.truth.joining import join
from lookalike.evaluate.vector_files import VectorSet
from lookalike.train import Samples, Settings, read_samples
from lookalike.train.pictures import Pictures
from lookalike.train.split import split
from lookalike.train.sweep import TEST, TRIES, Outcome, sweep
from lookalike.train.validate import METRICS

LOSSES = (
    *("arcface", "circle", "contrastive", "multi-similarity", "proxy-anchor"),
    *("proxy-nca++", "smooth-ap", "softmax", "supcon", "triplet"),
)
SETTINGS = Settings(
    backbone="timm:test_byobnet?weights=none",
    side=32,
    dimensions=64,
    batch=64,
    steps=200,
    rate=3e-3,
    augment="none",  # in so few steps it only costs: 0.40 without, 0.37 with light ones, at 300 steps of one loss
    flip=False,
    evaluate_every=10_000,  # at the end only: the budget is steps, and nothing is picked along the way
    patience=0,
    save_every=1e9,
)


def main() -> None:
    """Sweep, and write the table."""
    options = flagged(__doc__ or "", {"--out": "folder of the runs, to go on with; a temporary one without it"})
    data = SHARED / "data" / "emoji"
    samples = read_samples([data / "emoji.tar"], data / "labels.csv", label="codepoint")
    losses: Sequence[str] = LOSSES[:2] if options.quick else LOSSES
    settings = Settings(**{**asdict(SETTINGS), "steps": 4}) if options.quick else SETTINGS
    began = time.monotonic()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes below: a network this small gains nothing from more
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as temporary, ProcessPoolExecutor(mp_context=spawn) as pool:
        out = options.out or Path(temporary)
        for done in [pool.submit(one, samples, out, settings, loss) for loss in losses]:
            done.result()
        outcomes = sweep(samples, out, settings, losses=losses)  # reads what the processes have trained
    test = split(samples, TEST, seed=settings.seed).validation
    figures: dict[str, Any] = {
        "outcomes": [asdict(outcome) for outcome in outcomes],
        "raw pixels": pixels(test, settings),
        "settings": {name: value for name, value in settings.to_json().items() if value != getattr(Settings(), name)},
        "tries": list(TRIES),
        "images": {"all": len(samples), "test": len(test)},
        "classes": {"all": len(np.unique(samples.classes)), "test": len(np.unique(test.classes))},
        "minutes": round((time.monotonic() - began) / 60, 1),
        "processor_minutes": round(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) / 60, 1),
    }
    write_result("losses", __doc__ or "", figures, n=len(test), seed=settings.seed, quick=options.quick)


def one(samples: Samples, out: Path, settings: Settings, loss: str) -> None:
    """Tune and test one loss."""
    sweep(samples, out, settings, losses=[loss], on_outcome=show)


def show(outcome: Outcome) -> None:
    """Print one loss."""
    mean, low, high = outcome.metrics["map"]
    print(f"{outcome.loss:20} mAP {mean:.3f} [{low:.3f}, {high:.3f}]  rate {outcome.rate:g}", flush=True)


def pixels(test: Samples, settings: Settings) -> dict[str, list[float]]:
    """Return the metrics of raw pixels (mean taken off, cosine), with intervals by class."""
    (_, squares), *_ = Pictures(test.sources, settings.side, 1, 1000).batches([range(len(test))])
    rows = squares.reshape(len(squares), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    found = VectorSet(rows, test.names, cosine=True)
    estimates = summarise(run_protocol(found, join(test.truth(), found)).judged, METRICS, seed=0)
    return {key: [value.value, value.low, value.high] for key, value in estimates.items()}


if __name__ == "__main__":
    main()
