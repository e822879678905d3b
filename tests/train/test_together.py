"""Several processes train what one would have trained: over gloo, on a CPU."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.embed import create
from lookalike.evaluate.truth.base import LabelSets
from lookalike.train import Samples, Settings
from lookalike.train.launch import Place, launched
from lookalike.train.targets import Labels
from pictures import picture
from training_command import begun, ended, write_classes

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("images"))


def same(first: Path, second: Path) -> None:
    """Check that two models give the same vectors. AdamW makes steps of one size of gradients that rounding decides."""
    shown = [picture(kind, view=view) for kind in range(20) for view in range(2)]
    ours, theirs = (create(str(model)).embed(shown) for model in (first, second))
    assert (ours * theirs).sum(axis=1).min() > 0.999


def network() -> Any:
    import torch
    from torch import nn

    torch.manual_seed(5)
    made = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        *(nn.Linear(8, 6), nn.BatchNorm1d(6)),
    )
    return made.double()


def step(*, count: int, place: Place | None, on_progress: Any) -> dict[str, Any]:
    """Return the loss of one batch of ``count`` images, all gradients, and what batch normalisation remembers."""
    import torch

    from lookalike.train.objective import Objective
    from lookalike.train.together import ALONE, meet

    group = ALONE if place is None else meet(place.rank, place.size, device="cpu", place=place.meeting)
    ids = tuple(f"{at}.png" for at in range(count))
    labels = Labels(Samples(names=ids, sources=ids, labels=LabelSets.of([str(at % 3)] for at in range(count))))
    torch.manual_seed(6)
    objective = Objective(Settings(loss="multi-similarity+arcface:0.5"), labels, dimension=6).double()
    pixels = torch.rand(count, 3, 9, 9, dtype=torch.float64)
    trained = group.normalised_together(network())
    forward = group.wrapped(trained)
    own = group.share(range(count))
    vectors = group.rows(forward(pixels[own]), [len(part) for part in group.everyones(own)])
    loss = objective(vectors, labels.batch(range(count)))
    loss.backward()
    group.average_gradients(objective.parameters())
    found: dict[str, Any] = {"loss": float(loss.detach())}
    for name, each in (*trained.named_parameters(), *objective.named_parameters(prefix="loss")):
        found[name] = each.grad.numpy()
    found |= {name: each.numpy() for name, each in trained.named_buffers()}
    group.wait()
    return found


@pytest.mark.parametrize("count", [12, 7])
def test_a_step_of_several_processes_is_that_of_one(count: int) -> None:
    alone = step(count=count, place=None, on_progress=None)
    together = launched(3, step, {"count": count}, print)
    assert together.keys() == alone.keys()
    assert len(alone) == 1 + 8 + 1 + 6
    for name, value in alone.items():
        np.testing.assert_allclose(together[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


# Batch normalisation over all images, with weights of the loss's own, with a memory and a mean of the weights.
@pytest.mark.slow
@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"loss": "arcface", "head": "linear", "accumulate": 2},
        {"loss": "triplet", "memory": 64, "ema": 0.9, "miner": "hard"},
        {"sampler": "hard", "backbone": "timm:test_vit?weights=none"},
    ],
)
def test_two_processes_end_where_one_does(images: Path, tmp_path: Path, extra: dict[str, Any]) -> None:
    # Images are not changed: what each process draws for its own would be others.
    settings = {"augment": "none", "epochs": 2, "rate": 1e-4, **extra}
    for count in (1, 2):
        process = begun(
            tmp_path / "stub", "--images", images, "--out", tmp_path / str(count), "--json", devices=count, **settings
        )
        code, out, err = ended(process)
        assert code == 0, err
        assert json.loads(out)["steps"] >= 4
    same(tmp_path / "1", tmp_path / "2")
    logs = [(tmp_path / name / "training" / "log.csv").read_text().splitlines() for name in "12"]
    assert [line.split(",")[:2] for line in logs[0]] == [line.split(",")[:2] for line in logs[1]]
    values = [float(lines[-1].split(",")[6]) for lines in logs]
    assert values[0] == pytest.approx(values[1], abs=0.02)


@pytest.mark.slow
def test_torchrun_starts_it_too(images: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"augment": "none", "epochs": 2, "rate": 1e-4}
    one = begun(tmp_path / "stub", "--images", images, "--out", tmp_path / "1", **settings)
    run = ("torch.distributed.run", "--nproc-per-node=2", "--standalone", "-m", "lookalike")
    two = begun(tmp_path / "stub", "--images", images, "--out", tmp_path / "2", "--json", module=run, **settings)
    for process in (one, two):
        code, out, err = ended(process)
        assert code == 0, err
    assert json.loads(out)["steps"] >= 4  # said once
    same(tmp_path / "1", tmp_path / "2")


def nobody_left(group: int) -> bool:
    """Return whether the group ends within some seconds: init collects its last members, which take their time."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_ctrl_c_ends_all_and_the_same_command_goes_on(images: Path, tmp_path: Path) -> None:
    command = ("--images", images, "--out", tmp_path / "m", "--quiet")
    process = begun(tmp_path / "stub", *command, devices=2, epochs=40, save_every=0)
    state = tmp_path / "m" / "training" / "state.pt"
    while process.poll() is None and not state.exists():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = ended(process)
    assert code == 130, err
    assert "The same command goes on" in err
    assert "Traceback" not in err
    assert nobody_left(process.pid)
    code, _, err = ended(begun(tmp_path / "stub", *command, devices=1, epochs=40, save_every=0, steps=None))
    assert code == 0, err
    assert "went on" in err


@pytest.mark.slow
def test_images_that_one_process_cannot_read_are_named(tmp_path: Path) -> None:
    images = write_classes(tmp_path / "images", classes=12, views=3)
    for name in ("kind01/0.png", "kind02/1.png"):
        (images / name).write_bytes(b"")
    code, out, _ = ended(
        begun(tmp_path / "stub", "--images", images, "--out", tmp_path / "m", "--json", devices=2, epochs=1)
    )
    assert code == 1
    assert {entry["id"] for entry in json.loads(out)["skipped"]["entries"]} == {"kind01/0.png", "kind02/1.png"}


@pytest.mark.slow
def test_what_cannot_be_is_refused_once(images: Path, tmp_path: Path) -> None:
    code, _, err = ended(
        begun(tmp_path / "stub", "--images", images, "--out", tmp_path / "m", devices=2, loss="tripplet")
    )
    assert code == 2
    assert err.count("unknown loss 'tripplet'") == 1
    assert "Traceback" not in err
    code, _, err = ended(begun(tmp_path / "stub", "--images", images, "--out", tmp_path / "n", devices=9))
    assert code == 2
    assert "gives each of 9 devices fewer than two images" in err


def test_shares_are_the_batch() -> None:
    from lookalike.train.together import Group

    for size in (1, 2, 3, 5):
        for count in range(12):
            plan = list(range(count))
            assert [at for rank in range(size) for at in Group(rank, size).share(plan)] == plan


def square(*, number: int, place: Place, on_progress: Any) -> int:
    on_progress(place.rank)
    if number < 0 and place.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    while number < 0:
        time.sleep(0.1)
    return number * number


def test_a_process_that_is_killed_ends_the_others() -> None:
    seen: list[Any] = []
    assert launched(2, square, {"number": 7}, seen.append) == 49
    assert seen == [0]
    with pytest.raises(Exception, match=r"ended from outside \(exit code -9\)"):
        launched(2, square, {"number": -1}, seen.append)
