"""Every wrong thing that a user may give ``lookalike train``: a sentence, an exit code, and nothing lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from lookalike.cli import main
from lookalike.errors import BadInput
from lookalike.train import Settings, read_samples, train
from pictures import picture
from running import Done
from training_command import SMALL, weights_of, write_classes

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("images"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str | Path, **settings: Any) -> Done:
        every = {name.replace("_", "-"): value for name, value in {**SMALL, "epochs": 1, **settings}.items()}
        flags = [f"--{name}={value}" for name, value in every.items()]
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(["train", *map(str, arguments), *flags])
        out, err = capsys.readouterr()
        return Done(int(stopped.value.code or 0), out, " ".join(err.split()))

    return call


def view(folder: Path, kind: int, number: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(picture(kind, view=number)).save(folder / f"{number}.png")


def test_a_class_of_one_image_is_named_and_trained_with(tmp_path: Path, run: Any) -> None:
    images = write_classes(tmp_path / "images", classes=4)
    view(images / "alone", 99)
    done = run("--images", images, "--out", tmp_path / "m", validation=0)
    assert done.code == 0
    assert "1 classes have a single image, which is alike to nothing: alone" in done.err


def test_classes_of_one_image_each_are_refused(tmp_path: Path, run: Any) -> None:
    for kind in range(6):
        view(tmp_path / "images" / f"kind{kind}", kind)
    done = run("--images", tmp_path / "images", "--out", tmp_path / "m", validation=0)
    assert done.code == 2
    assert "each class has a single image, so no two images are alike. Give classes with several images" in done.err


def test_an_empty_class_is_named(tmp_path: Path, run: Any) -> None:
    images = write_classes(tmp_path / "images", classes=4)
    (images / "nothing").mkdir()
    (images / ".hidden").mkdir()
    done = run("--images", images, "--out", tmp_path / "m", validation=0)
    assert done.code == 0
    assert "1 folders hold no image and are no class: nothing" in done.err


def test_labels_of_missing_images_are_counted_and_named(images: Path, tmp_path: Path, run: Any) -> None:
    table = tmp_path / "labels.csv"
    lines = [f"kind{kind:02d}/{number}.png,{kind}" for kind in range(4) for number in range(5)]
    table.write_text("\n".join(["file,label", *lines, "gone.png,1", "kind00/9.png,0"]))
    done = run("--images", images, "--labels", table, "--out", tmp_path / "m", validation=0)
    assert done.code == 0
    assert f"2 names of {table} are no image there: 'gone.png', 'kind00/9.png'" in done.err


def test_triplets_of_images_that_are_not_there_are_refused(images: Path, tmp_path: Path, run: Any) -> None:
    table = tmp_path / "triplets.csv"
    table.write_text("anchor,positive,negative\nkind00/0.png,gone.png,kind01/0.png\nkind00/1.png,kind00/2.png,x.png\n")
    done = run("--images", images, "--labels", table, "--out", tmp_path / "m")
    assert done.code == 2
    assert "none of the 2 triplets" in done.err


def test_copies_in_what_is_tested_are_refused_unless_they_are_allowed(tmp_path: Path, run: Any) -> None:
    images = write_classes(tmp_path / "images", classes=6)
    for number in range(3):
        Pillow.fromarray(picture(3, view=number)).save(images / f"copy{number}.jpg", quality=80)
    lists = {"train": range(6), "test": range(3)}
    (tmp_path / "train.csv").write_text(
        "\n".join(["file,label", *(f"kind{kind:02d}/{n}.png,{kind}" for kind in lists["train"] for n in range(5))])
    )
    (tmp_path / "test.csv").write_text("\n".join(["file,label", *(f"copy{n}.jpg,{n // 2}" for n in lists["test"])]))
    command = ("--images", images, "--labels", tmp_path / "train.csv", "--test-on", tmp_path / "test.csv")
    refused = run(*command, "--out", tmp_path / "m", validation=0)
    assert refused.code == 2
    assert "3 of 3 test images are copies of training images: 0 of equal bytes, 3 of equal pixels" in refused.err
    assert "= copy0.jpg" in refused.err
    assert not (tmp_path / "m" / "model.onnx").exists()
    allowed = run(*command, "--out", tmp_path / "m", "--allow-leak", "--json", validation=0)
    assert allowed.code == 0
    assert set(allowed.json["test_metrics"]) == {"map", "hit_rate@1", "recall@10"}
    assert "3 of these images are copies" in (tmp_path / "m" / "README.md").read_text()


def test_one_file_on_both_sides_is_refused_without_reading_any(images: Path, tmp_path: Path, run: Any) -> None:
    table = tmp_path / "some.csv"
    table.write_text("file,label\nkind00/0.png,0\nkind00/1.png,0\n")
    done = run("--images", images, "--validate-on", table, "--out", tmp_path / "m")
    assert done.code == 2
    assert "2 images are in the training and in the validation" in done.err


def test_a_batch_too_small_for_the_miner_is_refused(images: Path, tmp_path: Path, run: Any) -> None:
    done = run("--images", images, "--out", tmp_path / "m", batch=6)
    assert done.code == 2
    assert "a batch of 6 holds fewer than two classes of 4 images" in done.err
    assert "Raise --batch to 8 or more" in done.err
    done = run("--images", images, "--out", tmp_path / "n", miner="hard", sampler="random", batch=2)
    assert done.code == 2
    assert "hold two images of one class, so the miner 'hard' mostly has nothing to choose from. Raise" in done.err


def test_a_loss_that_is_nan_leaves_a_model_and_the_last_checkpoint(
    images: Path, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lookalike.train.loop import Loop

    good = run("--images", images, "--out", tmp_path / "good", epochs=2)
    assert good.code == 0
    real = Loop._descend

    def poisoned(self: Any) -> None:
        real(self)
        if self.epoch == 2:  # what too high a rate does, at a known step
            next(self.network.parameters()).data.fill_(float("nan"))

    monkeypatch.setattr(Loop, "_descend", poisoned)
    done = run("--images", images, "--out", tmp_path / "m", epochs=6)
    assert done.code == 2
    assert "the loss became NaN or infinite at step" in done.err
    assert "in the batch that begins with 'kind" in done.err
    assert "Lower --rate" in done.err
    import torch

    state = torch.load(tmp_path / "m" / "training" / "state.pt", weights_only=True)
    assert all(torch.isfinite(value).all() for value in state["network"].values() if value.is_floating_point())
    assert len(weights_of(tmp_path / "m")) == 64
    assert not (tmp_path / "m" / "training" / "state.pt.part").exists()


@pytest.mark.parametrize("kept", [0, 100])
def test_images_that_break_while_it_trains_are_named_and_left_out(tmp_path: Path, kept: int) -> None:
    images = write_classes(tmp_path / "images", classes=12, views=3)
    broken = images / "kind01" / "0.png"
    settings = Settings(**{**SMALL, "epochs": 3, "cache_mb": kept, "validation": 0.0})

    def spoil(progress: Any) -> None:
        if progress.epoch == 2:
            broken.write_bytes(broken.read_bytes()[:80])

    made = train(read_samples([images]), tmp_path / "m", settings, on_progress=spoil)
    assert set(made.broken) == (set() if kept else {"kind01/0.png"})
    assert np.isfinite(made.steps)
    assert (tmp_path / "m" / "model.onnx").is_file()


def test_a_teacher_that_is_not_there_is_said(images: Path, tmp_path: Path, run: Any) -> None:
    done = run("--images", images, "--out", tmp_path / "m", teacher="dinov2-smal")
    assert done.code == 2
    assert "unknown embedder 'dinov2-smal'. Did you mean 'dinov2-small'?" in done.err


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"devices": 0}, "devices must be 1 or more"),
        ({"test": 1.0}, "test must be in [0, 1)"),
        ({"validation": 0.9, "test": 0.9}, "the images to train on are all of one class"),
        ({"rate": "fast"}, "rate"),
        ({"backbone": "timm:resnet1888"}, "Did you mean 'resnet18'"),
    ],
)
def test_settings_are_checked(images: Path, tmp_path: Path, run: Any, settings: dict[str, Any], words: str) -> None:
    done = run("--images", images, "--out", tmp_path / "m", **settings)
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err


def test_the_test_part_is_measured_once_and_said_in_the_card(tmp_path: Path, run: Any) -> None:
    images = write_classes(tmp_path / "images", classes=20, views=4)
    done = run("--images", images, "--out", tmp_path / "m", epochs=2, test=0.2)
    assert done.code == 0
    assert "The validation picked the weights, so its figures are a little too good; those of the test are not." in (
        done.err
    )
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        [part, key] for part in ("validation", "test") for key in ("map", "hit_rate@1", "recall@10")
    ]
    card = (tmp_path / "m" / "README.md").read_text()
    about = json.loads((tmp_path / "m" / "lookalike.json").read_text())["training"]
    assert f"On the test, {about['data']['test']} images that nothing was picked by (kept apart by class)" in card
    assert (
        "It also picked the best weights of the run, and perhaps your settings, so these figures are a little" in card
    )
    assert about["data"] | {"test": 16, "test_split": "class", "validation": 12} == about["data"]
    assert about["test_metrics"]["map"]["n"] == 16

    # The same figures as the model that came out gives on those images.
    samples = read_samples([images])
    from lookalike.embed import create
    from lookalike.evaluate.summary import summarise
    from lookalike.train.parts import parts_of
    from lookalike.train.pictures import Pictures
    from lookalike.train.validate import Validation

    test = parts_of(samples, Settings(test=0.2), check=False).test
    pictures = Pictures(test.sources, 48, 1, 100)
    shown = [pictures.one(at) for at in range(len(test))]
    rows = create(str(tmp_path / "m")).embed([image for image in shown if image is not None])
    judged = Validation(test, pictures, "map").judged(np.asarray(rows, np.float32), np.arange(len(test)))
    assert summarise(judged, ["map"])["map"].value == pytest.approx(about["test_metrics"]["map"]["value"], abs=1e-6)


def test_a_model_comes_out_in_int8_with_its_loss_in_the_card(tmp_path: Path, run: Any) -> None:
    images = write_classes(tmp_path / "images", classes=14)
    assert run("--images", images, "--out", tmp_path / "m", epochs=2).code == 0
    weights = weights_of(tmp_path / "m")
    done = run("--images", images, "--out", tmp_path / "m", "--int8", "--json", epochs=2)  # of a run that is done
    assert done.code == 0
    assert weights_of(tmp_path / "m") == weights
    facts = done.json["int8"]

    from lookalike.embed import create

    shown = [picture(kind, view=number) for kind in range(14) for number in range(5)]
    full, small = (create(str(path)).embed(shown) for path in (tmp_path / "m", tmp_path / "m" / "int8"))
    assert 0.9 < (full * small).sum(axis=1).mean() < 1
    assert 0.9 < facts["least_cosine"] <= facts["cosine"] < 1
    assert facts["megabytes"] < facts["float_megabytes"]
    assert facts["difference"] == pytest.approx(facts["map"] - facts["float_map"])
    metric = json.loads((tmp_path / "m" / "lookalike.json").read_text())["training"]["metrics"]["map"]["value"]
    assert facts["float_map"] == pytest.approx(metric, abs=1e-6)
    card = (tmp_path / "m" / "README.md").read_text()
    assert f"have a cosine of {facts['cosine']:.4f}" in card
    assert card.count("## In int8") == 1
    assert create(str(tmp_path / "m" / "int8")).space.fingerprint != create(str(tmp_path / "m")).space.fingerprint

    assert run("--images", images, "--out", tmp_path / "m", epochs=2).code == 0  # without: no int8 of other weights
    assert not (tmp_path / "m" / "int8").exists()


def test_a_run_may_be_refused_without_leaving_a_model(tmp_path: Path) -> None:
    images = write_classes(tmp_path / "images", classes=2)
    with pytest.raises(BadInput):
        train(read_samples([images]), tmp_path / "m", Settings(**{**SMALL, "loss": "tripplet"}))
    assert not (tmp_path / "m" / "model.onnx").exists()
