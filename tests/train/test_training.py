"""Whole runs: a model comes out that the rest of the house opens, the same for the same seed, whatever stops it."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lookalike
from lookalike.embed import create
from lookalike.errors import BadInput
from lookalike.train import Settings, Trained, read_samples, train
from pictures import picture
from training_command import SMALL, weights_of, write_classes

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)  # networks this small only wait for one another


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("images"))


def run(images: Path, out: Path, **settings: Any) -> Trained:
    return train(read_samples([images]), out, Settings(**{**SMALL, **settings}))


def test_a_model_comes_out_that_is_better_than_its_start_and_searches(images: Path, tmp_path: Path) -> None:
    first = run(images, tmp_path / "first", epochs=1, rate=1e-9)  # as good as untrained
    made = run(images, tmp_path / "model", epochs=12)
    assert made.figures["map"].value > first.figures["map"].value + 0.05
    assert made.loss == "multi-similarity"
    about = json.loads((tmp_path / "model" / "lookalike.json").read_text())
    assert about["training"]["settings"]["seed"] == 0
    assert about["training"]["metrics"]["map"]["value"] == made.figures["map"].value
    assert "mAP" not in about
    card = (tmp_path / "model" / "README.md").read_text()
    assert f"{made.figures['map'].value:.3f}" in card
    assert made.figures["map"].low <= made.figures["map"].value <= made.figures["map"].high

    photos = lookalike.open(tmp_path / "c", embedder=f"{tmp_path / 'model'}")
    photos.add(images)
    hits = list(photos.search(images / "kind03" / "0.png", k=5))
    assert hits[0].id == "kind03/0.png"
    assert hits[0].score == pytest.approx(1, abs=1e-4)
    photos.close()


def test_the_exported_model_gives_what_torch_gives(images: Path, tmp_path: Path) -> None:
    import torch

    from lookalike.train.backbones import open_backbone
    from lookalike.train.network import ForUse, Network
    from lookalike.train.pictures import square

    settings = Settings(**{**SMALL, "epochs": 1})
    run(images, tmp_path / "m", epochs=1)
    state = torch.load(tmp_path / "m" / "training" / "state.pt", weights_only=True)
    network = Network(open_backbone(settings.backbone, side=48), settings)
    network.load_state_dict(state["best"])
    shown = [picture(seed, side=side) for seed, side in ((1, 48), (2, 96), (3, 33))]
    pixels = np.stack([square(each, 48) for each in shown])
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    use = ForUse(network).eval()
    with torch.no_grad():
        expected = use((tensor - network.mean) / network.std).numpy()
    found = create(str(tmp_path / "m")).embed(shown)
    assert ((found * expected).sum(axis=1) >= 0.9999).all()


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(images: Path, tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in "abc")
    run(images, first)
    run(images, second)
    run(images, other, seed=1)
    assert weights_of(first) == weights_of(second)
    assert weights_of(first) != weights_of(other)


RUN = """
import sys, json
sys.path.insert(0, {tests!r})
from torch_libraries import declare_operators
declare_operators()
import torch
torch.set_num_threads(1)
from lookalike.train import Settings, read_samples, train
train(read_samples([{images!r}]), {out!r}, Settings(**json.loads({settings!r})))
"""


def start(images: Path, out: Path, settings: dict[str, Any]) -> subprocess.Popen[bytes]:
    tests = str(Path(__file__).resolve().parents[1])
    code = RUN.format(tests=tests, images=str(images), out=str(out), settings=json.dumps(settings))
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("extra", [{}, {"memory": 64, "ema": 0.9, "loss": "triplet", "miner": "semi-hard"}])
def test_a_run_that_was_killed_ends_as_if_it_never_was(images: Path, tmp_path: Path, extra: dict[str, Any]) -> None:
    settings = {**SMALL, "epochs": 4, "save_every": 0.0, **extra}
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    assert start(images, unbroken, settings).wait() == 0
    kills = 0
    rng = random.Random(5)
    for _ in range(20):
        process = start(images, broken, settings)
        state = broken / "training" / "state.pt"
        before = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None and (not state.exists() or state.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(rng.random() * 0.4)
        if process.poll() is not None or kills == 3:
            assert process.wait() == 0
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    assert kills == 3
    assert weights_of(broken) == weights_of(unbroken)
    log = (broken / "training" / "log.csv").read_text().splitlines()
    steps = [int(line.split(",")[0]) for line in log[1:]]
    assert steps == sorted(steps)


def test_other_settings_do_not_go_on_with_a_run(images: Path, tmp_path: Path) -> None:
    run(images, tmp_path / "m", epochs=1)
    with pytest.raises(BadInput, match=r"begun with rate = 0.001, not 0.01") as failed:
        run(images, tmp_path / "m", epochs=1, rate=0.01)
    assert "--restart" in failed.value.hint
    train(read_samples([images]), tmp_path / "m", Settings(**{**SMALL, "epochs": 1, "rate": 0.01}), restart=True)


def test_other_images_do_not_go_on_with_a_run(images: Path, tmp_path: Path) -> None:
    run(images, tmp_path / "m", epochs=1)
    more = tmp_path / "more"
    shutil.copytree(images, more)
    some = next(more.rglob("*.png"))
    shutil.copy(some, some.with_name("another.png"))
    with pytest.raises(BadInput, match=r"other images or labels: .*\d+ images to .* then, \d+ now") as failed:
        run(more, tmp_path / "m", epochs=1)
    assert "another --out, or --restart" in failed.value.hint
    copied = tmp_path / "copied"
    shutil.copytree(images, copied)  # later, so with other times of change unless they are copied too
    for each in copied.rglob("*.png"):
        os.utime(each)
    assert run(copied, tmp_path / "m", epochs=1).resumed
    for each in copied.rglob("*.png"):
        with each.open("ab") as file:
            file.write(b"\0")  # behind the end of the picture
    with pytest.raises(BadInput, match="other sizes of the files to train on"):
        run(copied, tmp_path / "m", epochs=1)
    assert run(images, tmp_path / "m", epochs=1).resumed


def test_images_that_cannot_be_read_are_counted_and_named(tmp_path: Path) -> None:
    images = write_classes(tmp_path / "images", classes=12, views=3)
    (images / "kind01" / "0.png").write_bytes((images / "kind01" / "0.png").read_bytes()[:60])
    (images / "kind02" / "1.png").write_bytes(b"")
    made = run(images, tmp_path / "m", epochs=2)
    assert set(made.broken) == {"kind01/0.png", "kind02/1.png"}
    assert made.steps > 0


@pytest.mark.parametrize("labels", ["sets", "pairs", "unlike pairs", "triplets", "none"])
def test_labels_of_every_kind_train(images: Path, tmp_path: Path, labels: str) -> None:
    samples = read_samples([images])
    table = tmp_path / "labels.csv"
    if labels == "none":
        samples = read_samples([images], unlabelled=True)
    elif labels == "sets":
        lines = [f"{name},{name[4:6]}|{'even' if int(name[4:6]) % 2 == 0 else 'odd'}" for name in samples.names]
        table.write_text("\n".join(["file,labels", *lines]))
        samples = read_samples([images], table)
        assert samples.kind == "label-sets"
    elif labels == "triplets":
        lines = [
            f"kind{kind:02d}/0.png,kind{kind:02d}/{view}.png,kind{(kind + view) % 14:02d}/1.png"
            for kind in range(14)
            for view in range(1, 5)
        ]
        table.write_text("\n".join(["anchor,positive,negative", *lines]))
        samples = read_samples([images], table)
        assert samples.kind == "triplets"
    else:
        lines = [f"kind{kind:02d}/0.png,kind{kind:02d}/{view}.png,1" for kind in range(14) for view in range(1, 5)]
        if labels == "unlike pairs":
            lines += [f"kind{kind:02d}/0.png,kind{(kind + 1) % 14:02d}/0.png,0" for kind in range(14)]
        table.write_text("\n".join(["query,relevant,grade", *lines]))
        samples = read_samples([images], table)
        assert samples.kind == "pairs"
    made = train(samples, tmp_path / "m", Settings(**{**SMALL, "epochs": 2}))
    expected = {"sets": "graded", "pairs": "multi-similarity", "unlike pairs": "contrastive", "none": "nt-xent"}
    expected["triplets"] = "triplet"
    assert made.loss == expected[labels]
    assert 0 <= made.figures["map"].value <= 1
    assert create(str(tmp_path / "m")).embed([picture(1)]).shape == (1, 32)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch": 6, "per_class": 4}, "fewer than two classes"),
        ({"loss": "tripplet"}, "unknown loss"),
        ({"miner": "hardest"}, "unknown miner"),
        ({"sampler": "by-class"}, "unknown sampler"),
        ({"backbone": "timm:resnet18z?weights=none"}, "timm has no model"),
        ({"backbone": "tim:resnet18"}, "unknown backbone"),
        ({"pooling": "cls"}, "takes tokens"),
        ({"loss": "arcface", "memory": 64}, "goes with losses that compare pairs"),
        ({"matryoshka": (64,)}, "shorter than 32"),
        ({"epochs": 0}, "nothing to train"),
        ({"device": "tpu"}, "device is one of"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(
    images: Path, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        run(images, tmp_path / "m", **settings)


def test_one_class_cannot_be_trained_on(tmp_path: Path) -> None:
    images = write_classes(tmp_path / "images", classes=2, views=4)
    samples = read_samples([images])
    one = samples.part([at for at, name in enumerate(samples.names) if name.startswith("kind00")])
    with pytest.raises(BadInput, match="all of one class, 'kind00'"):
        train(one, tmp_path / "m", Settings(**{**SMALL, "validation": 0.0}))


def test_images_in_training_and_validation_are_refused(images: Path, tmp_path: Path) -> None:
    samples = read_samples([images])
    with pytest.raises(BadInput, match="5 images are in the training and in the validation"):
        train(samples, tmp_path / "m", Settings(**SMALL), validation=samples.part(range(5)))


def test_a_loss_that_is_nan_stops_and_keeps_the_best_weights(images: Path, tmp_path: Path) -> None:
    import torch

    from lookalike.train.loop import Loop, NotFinite
    from lookalike.train.parts import parts_of
    from lookalike.train.preparing import prepare

    settings = Settings(**{**SMALL, "epochs": 6})
    (tmp_path / "work").mkdir()
    loop, _ = prepare(parts_of(read_samples([images]), settings), settings, tmp_path / "work")
    assert isinstance(loop, Loop)

    def poison(progress: Any) -> None:
        if progress.epoch == 3:  # two looks are done
            with torch.no_grad():
                next(loop.network.parameters()).fill_(float("nan"))

    with pytest.raises(NotFinite, match=r"at step \d+, in the batch that begins with 'kind"):
        loop.run(poison)
    assert loop.best is not None
    assert all(torch.isfinite(value).all() for value in loop.best.values() if value.is_floating_point())


def test_the_command_trains_and_says_what_it_did(images: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from lookalike.cli.app import app

    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items() if name != "epochs"]
    arguments = ["train", "--images", str(images), "--out", str(tmp_path / "m"), "--epochs", "1", *flags, "--json"]
    result = CliRunner().invoke(app, arguments, standalone_mode=False)
    assert result.exception is None
    said = json.loads(result.stdout)
    assert said["loss"] == "multi-similarity"
    assert set(said["metrics"]["map"]) == {"value", "low", "high", "n"}
    assert Path(said["model"]).is_dir()


def test_memory_that_is_not_enough_is_said_in_words(images: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "side": 1500, "batch": 64, "epochs": 1, "validation": 0.0}
    tests = str(Path(__file__).resolve().parents[1])
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))\n"
    code = limit + RUN.format(tests=tests, images=str(images), out=str(tmp_path / "m"), settings=json.dumps(settings))
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "OutOfMemory: the memory is not enough" in found.stderr
    assert "Lower --batch" in found.stderr


def test_a_teacher_is_imitated_without_labels(images: Path, tmp_path: Path) -> None:
    samples = read_samples([images], unlabelled=True)
    settings = Settings(
        **{**SMALL, "epochs": 25, "loss": "none", "teacher": "builtin", "rate": 3e-3, "validation": 0.0}
    )
    made = train(samples, tmp_path / "m", settings)
    assert made.loss == "none"
    shown = [picture(seed) for seed in range(14)]
    off = ~np.eye(14, dtype=bool)

    def likeness(name: str) -> Any:
        rows = create(name).embed(shown)
        return (rows @ rows.T)[off]

    untrained = train(samples, tmp_path / "u", Settings(**{**SMALL, "epochs": 1, "rate": 1e-9}))
    theirs = likeness("builtin")
    own, before = (np.corrcoef(theirs, likeness(str(each.folder)))[0, 1] for each in (made, untrained))
    assert own > before + 0.2


def test_imitation_equals_a_loop() -> None:
    import torch

    from lookalike.train.teacher import Imitation

    rng = np.random.default_rng(0)
    theirs = rng.normal(size=(5, 4)).astype(np.float32)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    theirs[3] = 0  # could not be read
    own = rng.normal(size=(4, 3))
    at = np.array([0, 2, 3, 4])
    found = float(Imitation(theirs, temperature=0.5)(torch.tensor(own, dtype=torch.float32), at))
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    read = [0, 1, 3]  # of the batch
    losses = []
    for i in read:
        others = [j for j in read if j != i]
        aim = np.exp([theirs[at[i]] @ theirs[at[j]] / 0.5 for j in others])
        score = np.array([own[i] @ own[j] / 0.5 for j in others])
        losses.append(-(aim / aim.sum() * (score - np.log(np.exp(score).sum()))).sum())
    assert found == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_sweep_compares_losses_and_goes_on_where_it_was(tmp_path: Path) -> None:
    from lookalike.train.sweep import sweep

    samples = read_samples([write_classes(tmp_path / "images", classes=20, views=3)])
    settings = Settings(**{**SMALL, "epochs": 1})
    seen: list[str] = []

    def note(outcome: Any) -> None:
        seen.append(outcome.loss)

    losses = ["triplet", "arcface"]
    first = sweep(samples, tmp_path / "s", settings, losses=losses, seeds=2, tries=(1.0, 3.0), on_outcome=note)
    assert seen == losses
    assert {outcome.loss for outcome in first} == set(losses)
    assert first[0].metrics["map"][0] >= first[1].metrics["map"][0]
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("state.pt")}
    assert len(times) == 2 * (2 + 2)
    again = sweep(samples, tmp_path / "s", settings, losses=losses, seeds=2, tries=(1.0, 3.0))
    assert again == first
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("state.pt")}
    assert "`triplet`" in (tmp_path / "s" / "README.md").read_text()
    with pytest.raises(BadInput, match="20 classes"):
        sweep(samples.part(range(12)), tmp_path / "x", settings)


def test_intervals_over_seeds_are_students() -> None:
    from scipy import stats

    from lookalike.train.sweep import _over_seeds

    values = [0.5, 0.6, 0.55, 0.7]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert _over_seeds(values) == pytest.approx((np.mean(values), low, high), abs=1e-4)
