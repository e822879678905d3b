"""The recipe of the built-in network: what it may see, what it makes up, and that it goes on where it was stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.evaluate.benchmarks import read_benchmark
from lookalike.train.seeding import generator

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "builtin"


@pytest.fixture(autouse=True)
def _recipe_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(RECIPE))


def test_a_drawing_and_its_images_depend_on_their_numbers_alone() -> None:
    import drawings

    first = [drawings.rendered(drawings.drawing(3, 7), generator(3, 1, at)) for at in range(4)]
    drawings.rendered(drawings.drawing(3, 8), generator(3, 1, 0))  # what was made between changes nothing
    again = [drawings.rendered(drawings.drawing(3, 7), generator(3, 1, at)) for at in range(4)]
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[1])  # another style
    assert not np.array_equal(drawings.rendered(drawings.drawing(3, 8), generator(3, 1, 0)), first[0])  # another class
    assert not np.array_equal(drawings.rendered(drawings.drawing(4, 7), generator(3, 1, 0)), first[0])  # another seed


def test_no_drawing_is_empty_and_each_fills_its_frame() -> None:
    import drawings

    for number in range(150):
        made = drawings.rendered(drawings.drawing(0, number), generator(0, 2, number))
        assert made.shape == (drawings.SIDE, drawings.SIDE, 4)
        assert made.dtype == np.uint8
        rows, columns = np.nonzero(made[..., 3] > 100)
        assert len(rows) > 20, number
        # Cut to what is not transparent with a margin of 6%: the longer side has 128 / 1.12 = 114 pixels; thin ends
        # of lines may be paler than 100 of 255.
        assert max(np.ptp(rows), np.ptp(columns)) > 85, number


def test_framed_keeps_the_shape_and_centres() -> None:
    import drawings

    picture = Image.new("RGBA", (300, 200))
    picture.paste((255, 0, 0, 255), (200, 10, 280, 50))  # 80 x 40
    alpha = drawings.framed(picture, 112)[..., 3]
    rows, columns = np.nonzero(alpha > 127)
    # 80 pixels and a margin of 6% on each side become 112: 1.25 times as large, so 100 x 50 in the middle.
    assert abs(np.ptp(columns) + 1 - 100) <= 1
    assert abs(np.ptp(rows) + 1 - 50) <= 1
    assert abs(rows.mean() - 55.5) < 1
    assert abs(columns.mean() - 55.5) < 1


def test_no_class_that_is_held_out_is_learned(shared_data: Path, tmp_path: Path) -> None:
    import material

    made = material.read_material(shared_data, tmp_path, limit=15)
    learned = {*made.symbols.class_names, *made.photos.class_names}
    looked_at = set(made.looks.class_names)
    assert learned
    assert looked_at
    assert not learned & looked_at
    for name in ("emoji", "logos", "photos"):
        truth = read_benchmark(name, shared_data / name, part="held-out").runs[0].truth
        tested = {f"{name}:{truth.text(at)}" for at in range(len(truth.names)) if truth.text(at)}
        assert tested
        assert not tested & (learned | looked_at)
        files = {f"{name}:{file}" for file in truth.names}
        assert not files & {*made.symbols.names, *made.photos.names, *made.looks.names}
    groceries = read_benchmark("grocery", shared_data / "grocery", part="held-out").runs[0].truth
    assert not {f"grocery:{file}" for file in groceries.names} & {*made.photos.names, *made.looks.names}
    names = [*made.symbols.names, *made.photos.names, *made.looks.names]
    assert not [name for name in names if name.startswith("emoji:openmoji/")]
    assert {name.partition(":")[0] for name in names} <= set(material.SETS)  # no scenes, coco128, near_dup, planar


def test_what_was_read_is_kept(shared_data: Path, tmp_path: Path) -> None:
    import material

    first = material.read_material(shared_data, tmp_path, limit=2)
    again = material.read_material(tmp_path / "nowhere", tmp_path, limit=2)  # reads the kept arrays alone
    assert again.digest == first.digest
    assert again.looks.names == first.looks.names
    assert np.array_equal(again.symbols.pixels, first.symbols.pixels)


@pytest.mark.torch
def test_the_contrast_equals_a_loop() -> None:
    import teaching
    import torch

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(9, 4))
    classes = np.array([0, 0, 1, 1, 1, 2, 3, 4, 4])
    groups = np.array([-1, -1, -1, -1, -1, 7, 7, 7, 7])
    loss = teaching.Alike(4, size=0, temperature=0.2)
    found = loss(torch.from_numpy(rows), torch.from_numpy(classes), torch.from_numpy(groups), remember=False)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    terms = []
    for one in range(9):
        alike = [other for other in range(9) if other != one and classes[other] == classes[one]]
        unlike = [
            other
            for other in range(9)
            if classes[other] != classes[one] and not (groups[one] >= 0 and groups[one] == groups[other])
        ]
        total = sum(np.exp(unit[one] @ unit[other] / 0.2) for other in alike + unlike)
        each = [-np.log(np.exp(unit[one] @ unit[other] / 0.2) / total) for other in alike]
        terms += [np.mean(each)] if each else []
    assert float(found) == pytest.approx(float(np.mean(terms)), rel=1e-5)


@pytest.mark.torch
def test_the_memory_holds_the_last_vectors() -> None:
    import teaching
    import torch

    loss = teaching.Alike(2, size=5, temperature=0.5)
    rows, groups = torch.eye(2), torch.tensor([-1, -1])
    for number in range(4):
        loss(rows, torch.tensor([number, number + 10]), groups, remember=True)
    # Eight vectors went through five places: 0 1 2 3 4, then 5 6 7 over the first three.
    assert loss.classes.tolist() == [12, 3, 13, 11, 2]
    assert int(loss.place) == 3


@pytest.mark.torch
def test_the_gradients_of_shares_are_those_of_the_whole() -> None:
    import copy

    import replicas
    import torch

    torch.manual_seed(0)
    network = _Two()
    whole = copy.deepcopy(network)
    pixels = torch.rand(7, 3, 4, 4)
    shared = replicas.Replicas(network, 3, device="cpu", precision="float32")
    leaves = shared.forward(pixels)
    (leaves[0].square().sum() + leaves[1].sum()).backward()
    shared.backward(leaves)
    one, other = whole(pixels)
    (one.square().sum() + other.sum()).backward()
    torch.testing.assert_close(leaves[0], one)
    for found, wanted in zip(network.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(found.grad, wanted.grad)


@pytest.mark.torch
def test_what_is_exported_is_what_was_trained() -> None:
    import compact
    import torch

    torch.manual_seed(0)
    network = compact.Compact(compact.Shape(widths=(64, 64, 64, 64)))
    pixels = torch.rand(4, 3, 128, 128)
    for _ in range(3):
        network(pixels)  # moves the running statistics
    network.eval()
    with torch.no_grad():
        both = [torch.nn.functional.normalize(each) for each in network(pixels)]
        found = compact.ForUse(network)((pixels - 0.5) * 4)
    torch.testing.assert_close(found, torch.cat(both, dim=1) * 0.5**0.5, rtol=1e-4, atol=1e-5)


@pytest.mark.torch
@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_as_if_it_never_was(shared_data: Path, tmp_path: Path) -> None:
    import torch

    _trained(shared_data, tmp_path / "whole").wait(timeout=280)
    broken = _trained(shared_data, tmp_path / "broken")
    state = tmp_path / "broken" / "stage-1" / "state.pt"
    while not state.is_file():
        assert broken.poll() is None, "it ended before it saved"
        time.sleep(0.05)
    broken.send_signal(signal.SIGKILL)
    broken.wait()
    assert int(torch.load(state, weights_only=True)["numbers"][0]) < 6
    assert _trained(shared_data, tmp_path / "broken").wait(timeout=280) == 0
    one, other = (
        torch.load(tmp_path / name / "stage-1" / "state.pt", weights_only=True) for name in ("whole", "broken")
    )
    assert one["numbers"][0] == other["numbers"][0] == 6
    for part in ("network", "average", "alike"):
        for key, value in one[part].items():
            assert torch.equal(value, other[part][key]), f"{part} {key}"


def _trained(data: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(RECIPE / "train.py"), "--data", str(data), "--out", str(out)]
    options = ["--limit", "3", "--steps", "6", "--window", "10", "--save-every", "0"]
    source = str(RECIPE.parents[1] / "src")
    environment = {**os.environ, "PYTHONPATH": source, "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen([*command, *options], env=environment, stdout=subprocess.DEVNULL)


def _Two() -> Any:
    import torch

    class Made(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Conv2d(3, 4, 3, padding=1)
            self.ends = torch.nn.ModuleList([torch.nn.Linear(4, 5), torch.nn.Linear(4, 2)])

        def forward(self, pixels: Any) -> tuple[Any, Any]:
            found = self.first(pixels).relu().mean(dim=(2, 3))
            return self.ends[0](found), self.ends[1](found)

    return Made()


@pytest.mark.torch
def test_a_view_taken_again_is_the_same_picture_or_its_mirror_image_in_another_light() -> None:
    import torch
    from changes import retaken

    torch.manual_seed(0)
    views = torch.rand(64, 3, 16, 16) * 0.4 + 0.3  # no pixel reaches black or white, so light is linear
    made = retaken(views)
    mirrored = 0
    for view, each in zip(views.flatten(1), made.flatten(1), strict=True):
        flipped = view.reshape(3, 16, 16).flip(2).flatten()
        fits = [float(np.corrcoef(one, each)[0, 1]) for one in (view, flipped)]
        assert max(fits) > 0.9999
        mirrored += fits[1] > fits[0]
    assert 16 < mirrored < 48
