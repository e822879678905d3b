"""Edited copies: the rough comparison, the alignment, and what is believed to be a copy."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

import lookalike
from lookalike.collection.near_pairs import NearPairs
from lookalike.evaluate import changed_copy, leak_neighbours
from lookalike.evaluate.changed_copy import Shots, alike_in_grey, changed_copies, shot
from lookalike.evaluate.copy_alignment import lay_over
from lookalike.evaluate.copy_windows import GRID, WINDOWS, rough, shapes, turned
from lookalike.evaluate.leak_neighbours import NEIGHBOURS, neighbours, once
from lookalike.evaluate.leak_sides import Stored
from lookalike.evaluate.leaks import find_leaks, find_leaks_between
from pictures import write_pictures

Floats = npt.NDArray[np.float32]


class Scene:
    """A picture that is known at every point: waves of several lengths, and a colour that changes with them."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        lengths = np.repeat([1.2, 2.5, 5.0, 9.0], 5)
        angles = rng.random(len(lengths)) * 2 * np.pi
        self.down, self.across = lengths * np.sin(angles), lengths * np.cos(angles)
        self.phase = rng.random((3, len(lengths))) * 0.7 + rng.random(len(lengths)) * 6
        self.size = 45 / lengths**0.7

    def at(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return (..., 3), 0..255, at coordinates that run from -1 to 1 over the picture."""
        waves = np.cos(self.down * y[..., None, None] * 2 + self.across * x[..., None, None] * 2 + self.phase)
        return np.asarray(np.clip(128 + (waves * self.size).sum(axis=-1), 0, 255), np.float64)

    def picture(self, width: int = 240, height: int = 180) -> Pillow.Image:
        x = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
        y = (np.arange(height, dtype=np.float32) + 0.5) / height * 2 - 1
        return Pillow.fromarray(self.at(*np.meshgrid(x, y)).astype(np.uint8))


def grey(scene: Scene, warp: Floats) -> Floats:
    """Return (48, 48), the scene's brightness seen through an affine map, computed and not resampled."""
    axis = ((np.arange(GRID) + 0.5) / GRID * 2 - 1).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    seen = scene.at(warp[0] * x + warp[1] * y + warp[2], warp[3] * x + warp[4] * y + warp[5])
    return np.asarray(seen @ np.array([0.299, 0.587, 0.114]), np.float32)


WHOLE = np.array([1, 0, 0, 0, 1, 0], np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_the_alignment_finds_the_map_that_was_applied(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = np.array([0.8, 0, 0.1, 0, 0.8, -0.1], np.float32)
    wanted = start + rng.uniform(-0.05, 0.05, 6).astype(np.float32)
    scene = Scene(seed)
    part = 0.7 * grey(scene, wanted) + 30  # other contrast and brightness
    laid = lay_over(part[None], grey(scene, WHOLE)[None], start[None])
    np.testing.assert_allclose(laid.warp[0], wanted, atol=0.02)
    assert laid.agreement[0] > 0.98
    assert laid.least[0] > 0.9
    assert laid.overlap[0] == pytest.approx(1, abs=0.05)
    other = lay_over(grey(Scene(seed + 100), WHOLE)[None], grey(scene, WHOLE)[None], WHOLE[None])
    assert other.agreement[0] < 0.7


def test_details_must_agree_everywhere() -> None:
    whole = grey(Scene(1), WHOLE)
    changed = whole.copy()
    changed[12:24, 12:24] = grey(Scene(2), WHOLE)[12:24, 12:24]  # one of sixteen parts
    laid = lay_over(changed[None], whole[None], WHOLE[None])
    assert laid.least[0] < 0.6
    assert laid.agreement[0] > 0.8


def test_nothing_to_lay_over() -> None:
    none = np.empty((0, GRID, GRID), np.float32)
    assert lay_over(none, none, np.empty((0, 6), np.float32)).agreement.shape == (0,)
    assert len(rough(shapes(none), np.empty(0, np.int64), shapes(none), np.empty(0, np.int64)).scores) == 0


def test_the_rough_comparison_is_the_best_of_all_windows_and_positions() -> None:
    """Against a loop that cuts and reduces with Pillow, which weighs the pixels at the edges a little differently."""
    pictures = np.stack([grey(Scene(seed), WHOLE) for seed in range(3)])
    described = shapes(pictures)

    def cells(picture: Floats, window: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y, w, h = window * GRID
        image = Pillow.fromarray(picture).resize((8, 8), Pillow.Resampling.BOX, box=(x, y, x + w, y + h))
        flat = np.asarray(image, np.float64).ravel()
        flat -= flat.mean()
        return flat / max(float(np.linalg.norm(flat)), 16.0)

    for a, b in ((0, 1), (1, 2), (2, 2)):
        found = rough(described, np.array([a]), described, np.array([b]))
        best = max(
            float(cells(np.ascontiguousarray(turned(pictures[part][None], position)[0]), WINDOWS[0])
                  @ cells(pictures[other], window))
            for part, other in ((b, a), (a, b)) for position in range(8) for window in WINDOWS
        )  # fmt: skip
        assert found.scores[0] == pytest.approx(best, abs=0.01)


CHANGES: dict[str, Callable[[Pillow.Image], Pillow.Image]] = {
    "grey": lambda p: p.convert("L").convert("RGB"),
    "cut to 60%": lambda p: p.crop((60, 20, 204, 128)),
    "cut to 70% of the width": lambda p: p.crop((30, 0, 198, 180)),
    "turned by 4": lambda p: p.rotate(4, Pillow.Resampling.BICUBIC).crop((20, 15, 220, 165)),
    "mirrored and cut": lambda p: ImageOps.mirror(p).crop((10, 30, 200, 170)),
    "a quarter turn and cut": lambda p: p.transpose(Pillow.Transpose.ROTATE_90).crop((10, 20, 170, 220)),
    "grey and cut": lambda p: p.convert("L").convert("RGB").crop((10, 30, 200, 170)),
    "stretched": lambda p: p.resize((300, 120)),
}


def shots(*images: Pillow.Image) -> Shots:
    return Shots.of({row: shot(np.asarray(image)) for row, image in enumerate(images)})


def pairs(*rows: tuple[int, int]) -> NearPairs:
    table = np.array(rows, np.int64).reshape(-1, 2)
    return NearPairs(table[:, 0], table[:, 1], np.zeros(len(table), np.float32))


@pytest.mark.parametrize("change", CHANGES)
def test_edited_copies_are_found_and_other_pictures_are_not(change: str) -> None:
    originals = [Scene(seed).picture() for seed in range(6)]
    data = []
    for original in originals:
        out = io.BytesIO()
        CHANGES[change](original).save(out, "JPEG", quality=80)
        data.append(Pillow.open(out))
    left, right = shots(*originals), shots(*data)
    every = pairs(*((a, b) for a in range(6) for b in range(6)))
    for one, other in ((left, right), (right, left)):
        found, left_out = changed_copies(one, other, every)
        assert found.rows_a.tolist() == found.rows_b.tolist() == list(range(6))
        assert (found.scores >= changed_copy.AGREEMENT).all()
        assert left_out == 0


def test_the_same_shapes_in_other_colours_are_no_copy() -> None:
    first = Scene(3).picture()
    red, green, blue = first.split()
    swapped = Pillow.merge("RGB", (green, blue, red))
    brown = ImageOps.colorize(first.convert("L"), "black", (255, 120, 0))  # as bright as, with other colours
    found, _ = changed_copies(shots(first, first), shots(swapped, brown), pairs((0, 0), (1, 1)))
    assert len(found.scores) == 0


def test_too_many_pairs_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_copy, "MOST_ALIGNED", 2)
    scenes = shots(*(Scene(seed).picture() for seed in range(4)))
    found, left_out = changed_copies(scenes, scenes, pairs(*((at, at) for at in range(4))))
    assert len(found.scores) == 2
    assert left_out == 2


@pytest.mark.parametrize("within", [False, True])
def test_alike_in_grey_equals_a_loop(within: bool) -> None:
    scenes = [Scene(seed).picture() for seed in range(5)]
    turns = [scene.transpose(Pillow.Transpose.ROTATE_90) for scene in scenes[:3]]
    left = shots(*scenes, *turns)
    right = left if within else shots(*turns, *scenes[3:])
    rows, base = np.array([0, 2, 3, 7, 99]), np.arange(len(right.rows))
    found = alike_in_grey(left, rows, right, base, within=within)
    wanted = set()
    for a in (0, 2, 3, 7):  # 99 is not there
        scores = []
        for b in base.tolist():
            positions = [right.shapes.wholes[b, position] @ left.shapes.wholes[a, 0] for position in range(8)]
            scores.append(-1.0 if within and a == b else float(max(positions)))
        order = sorted(base.tolist(), key=lambda b: (-scores[b], b))[: changed_copy.GREY_NEIGHBOURS]
        wanted |= {(a, b) for b in order if scores[b] >= changed_copy.GREY_LEAST}
    assert set(zip(found.rows_a.tolist(), found.rows_b.tolist(), strict=True)) == wanted
    assert wanted


def test_neighbours_are_the_nearest_of_each_query_and_each_pair_comes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "photos", 12)
    photos = lookalike.open(tmp_path / "c.collection")
    photos.add(tmp_path / "photos")
    side = Stored(photos)
    rows = np.array([record.row for record in photos])
    asked, base = rows[2:6], rows[::2]
    found = neighbours(side, asked, side, base)
    wanted = set()
    for row in asked.tolist():
        others = [r for r in base.tolist() if r != row]
        vectors = photos.searcher.vectors(np.array([row, *others]))
        order = np.lexsort((others, -(vectors[1:] @ vectors[0])))[:NEIGHBOURS]
        for at in order.tolist():
            either = row > others[at] and row in base and others[at] in asked
            wanted.add((others[at], row) if either else (row, others[at]))
    assert set(zip(found.rows_a.tolist(), found.rows_b.tolist(), strict=True)) == wanted
    assert len(found.scores) == len(wanted)
    monkeypatch.setattr(leak_neighbours, "MOST_QUERIES", 3)
    assert len(neighbours(side, asked, side, base).scores) == 0
    twice = NearPairs(np.array([1, 2, 3]), np.array([2, 1, 1]), np.ones(3, np.float32))
    assert list(zip(*once(twice, np.array([1, 2, 3]), np.array([1, 2])), strict=True)) == [(1, 2, 1.0), (3, 1, 1.0)]


def test_the_check_finds_them_in_a_collection_and_between_two(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "test").mkdir()
    for seed in range(8):
        Scene(seed).picture().save(tmp_path / "photos" / f"{seed}.png")
    changes = list(CHANGES.values())
    for seed in range(4):
        changes[seed](Scene(seed).picture()).save(tmp_path / "photos" / f"{seed}-changed.jpg", quality=85)
        changes[seed + 4](Scene(seed).picture()).save(tmp_path / "test" / f"{seed}.jpg", quality=85)
    photos, test = lookalike.open(tmp_path / "c.collection"), lookalike.open(tmp_path / "d.collection")
    photos.add(tmp_path / "photos")
    test.add(tmp_path / "test")
    found = find_leaks(photos, np.array([record.row for record in photos]))
    ids = {record.row: record.id for record in photos}
    named = [{ids[a], ids[b]} for a, b in zip(found.rows_a.tolist(), found.rows_b.tolist(), strict=True)]
    wanted = [{f"{seed}.png", f"{seed}-changed.jpg"} for seed in range(4)]
    assert sorted(map(sorted, named)) == sorted(map(sorted, wanted))
    assert found.to_json()["changed"] + found.to_json()["near"] == 4
    assert found.everything
    assert found.nearest == NEIGHBOURS
    between = find_leaks_between(photos, test)
    others = {record.row: record.id for record in test}
    got = {
        (ids[a].removesuffix("-changed.jpg").removesuffix(".png"), others[b].removesuffix(".jpg"))
        for a, b in zip(between.rows_a.tolist(), between.rows_b.tolist(), strict=True)
    }
    assert {(a, b) for a, b in got if a == b} == {(str(seed), str(seed)) for seed in range(4)}
    assert {a for a, b in got if a != b} == set()
    few = find_leaks_between(photos, test, most_images=4)
    assert not few.everything
    assert few.unaligned > 0
