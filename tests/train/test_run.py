"""What a run does on its way: the rate, batches added up, the mean of the weights, its end, what it writes down."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.train import Settings, read_samples, train
from lookalike.train.records import Log
from lookalike.train.schedule import share
from training_command import SMALL, write_classes

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("images"))


def test_the_rate_rises_in_a_line_and_falls_as_half_a_cosine() -> None:
    rates = [share(step, 110, warmup=10 / 110) for step in range(110)]
    assert rates[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    falling = [0.01 + 0.99 * (1 + math.cos(math.pi * step / 100)) / 2 for step in range(100)]
    assert rates[10:] == pytest.approx(falling)
    assert share(0, 10, warmup=0.0) == 1


def test_accumulated_batches_make_one_step_and_the_mean_of_the_weights_comes_out(images: Path, tmp_path: Path) -> None:
    from lookalike.train.parts import parts_of
    from lookalike.train.preparing import prepare

    changes = {"epochs": 2, "accumulate": 2, "ema": 0.8, "sampler": "random", "validation": 0.0}
    settings = Settings(**{**SMALL, **changes})
    loop, _ = prepare(parts_of(read_samples([images]), settings), settings, tmp_path)
    seen: list[Any] = []

    def keep(progress: Any) -> None:
        seen.append([each.detach().numpy().copy() for each in loop.network.parameters()])

    loop.run(keep)
    assert len(seen) == 2 * 3  # 70 images are five batches of 16, and two of them a step
    mean = seen[0]
    for weights in seen[1:]:
        mean = [0.8 * old + 0.2 * new for old, new in zip(mean, weights, strict=True)]
    assert loop.best is not None
    for (name, last), wanted in zip(loop.network.named_parameters(), mean, strict=True):
        np.testing.assert_allclose(loop.best[name].numpy(), wanted, rtol=1e-4, atol=1e-6, err_msg=name)
        if last.requires_grad and last.ndim > 1:
            assert not np.array_equal(loop.best[name].numpy(), last.detach().numpy())


def test_it_stops_when_the_validation_rises_no_more(images: Path, tmp_path: Path) -> None:
    settings = Settings(**{**SMALL, "epochs": 60, "patience": 2, "rate": 1e-9})
    made = train(read_samples([images]), tmp_path / "m", settings)
    with (tmp_path / "m" / "training" / "log.csv").open(newline="") as file:
        looks = [row for row in csv.DictReader(file) if row["metric"]]
    values = [float(row["value"]) for row in looks]
    best = values.index(max(values))
    assert len(values) == best + 1 + 2 < 60
    assert made.best_step == int(looks[best]["step"])


def test_a_log_is_a_csv_and_what_tensorboard_reads(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = Log(tmp_path, after=0)
    for step in (50, 100):
        log.write(step=step, epoch=1, loss=step / 4, rate=0.5, images_per_second=8.0)
    log.write(step=100, epoch=1, metric="map", value=0.25, low=0.125, high=0.5, loss=25.0, rate=0.5)
    log.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert {(each.step, each.value) for each in events.Scalars("loss")} == {(50, 12.5), (100, 25.0)}
    assert [(each.step, each.value) for each in events.Scalars("map")] == [(100, 0.25)]

    Log(tmp_path, after=50).close()  # of a run whose last checkpoint was of step 50
    with (tmp_path / "log.csv").open(newline="") as file:
        assert [(row["step"], row["loss"]) for row in csv.DictReader(file)] == [("50", "12.5")]
