"""Copies of training images in what is measured on: found whatever became of the file, and refused or left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageEnhance

from lookalike.errors import BadInput
from lookalike.evaluate.truth.base import LabelSets
from lookalike.train import Settings
from lookalike.train.copies import copies_between, prints_of
from lookalike.train.parts import parts_of
from lookalike.train.samples import Samples
from pictures import picture

CHANGES: dict[str, Any] = {
    "jpeg": lambda image: image,
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "mirrored": lambda image: image.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT),
}


def write(folder: Path, seeds: range, change: str = "", suffix: str = ".png") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for seed in seeds:
        image = Pillow.fromarray(picture(seed, side=160))
        image = CHANGES[change](image) if change else image
        paths.append(folder / f"{seed}{suffix}")
        image.save(paths[-1], quality=70)
    return paths


def samples(paths: list[Path], classes: int = 3) -> Samples:
    names = tuple(f"{path.parent.name}/{path.name}" for path in paths)
    labels = LabelSets.of([f"kind{at % classes}"] for at in range(len(paths)))
    return Samples(names=names, sources=tuple(map(str, paths)), labels=labels)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_and_nothing_else(tmp_path: Path, change: str) -> None:
    train = samples(write(tmp_path / "train", range(60)))
    other = samples(write(tmp_path / "other", range(40, 100), change, ".jpg"))
    found = copies_between(prints_of(train, 2), prints_of(other, 2))
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert pairs == {(40 + at, at) for at in range(20)}
    assert not found.exact.any()


def test_equal_bytes_come_first_and_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    train = samples(write(tmp_path / "train", range(10)))
    paths = [*write(tmp_path / "other", range(8, 14)), *write(tmp_path / "other", range(3, 4), "half", ".jpg")]
    (tmp_path / "other" / "13.png").write_bytes(b"")
    found = copies_between(prints_of(train, 2), prints_of(samples(paths), 2))
    assert found.first.tolist() == [8, 9, 3]
    assert found.second.tolist() == [0, 1, 6]
    assert found.exact.tolist() == [True, True, False]
    assert list(prints_of(samples(paths), 2).broken) == [5]


def test_copies_in_a_given_list_are_refused_with_the_first_of_them(tmp_path: Path) -> None:
    train = samples(write(tmp_path / "train", range(30)))
    other = samples([*write(tmp_path / "other", range(27, 40), "half", ".jpg"), *write(tmp_path / "other", range(1))])
    (tmp_path / "train" / "29.png").write_bytes(b"no image")
    with pytest.raises(BadInput) as failed:
        parts_of(train, Settings(), validation=other)
    said = str(failed.value)
    assert "3 of 14 validation images are copies of training images: 1 of equal bytes, 2 of equal pixels" in said
    assert "train/0.png = other/0.png, train/27.png = other/27.jpg" in said
    assert "1 images could not be read to look, such as train/29.png" in said
    assert "--allow-leak" in said

    parts = parts_of(train, Settings(), validation=other, allow_copies=True)
    assert len(parts.validation) == 14
    assert parts.copies == {"validation": {"images": 3, "kept": True}}
    assert set(parts.broken) == {"train/29.png"}
    with pytest.raises(BadInput, match="3 of 14 test images are copies of training images"):
        parts_of(train, Settings(), validation=samples(write(tmp_path / "v", range(50, 60))), test=other)


def test_a_test_list_may_hold_no_copy_of_the_validation_either(tmp_path: Path) -> None:
    train = samples(write(tmp_path / "train", range(12)))
    validation = samples(write(tmp_path / "validation", range(20, 26)))
    test = samples(write(tmp_path / "test", range(24, 30), "mirrored"))
    with pytest.raises(BadInput, match="2 of 6 test images are copies of validation images"):
        parts_of(train, Settings(), validation=validation, test=test)


def test_what_is_kept_apart_loses_its_copies(tmp_path: Path) -> None:
    paths = [*write(tmp_path / "a", range(30)), *write(tmp_path / "a", range(10), "half", ".jpg")]
    whole = samples(paths, classes=4)  # so few classes that single images are kept apart
    parts = parts_of(whole, Settings(validation=0.3, test=0.2))
    seeds = [{int(Path(name).stem) for name in part.names} for part in (parts.train, parts.validation, parts.test)]
    assert seeds[0].isdisjoint(seeds[1])
    assert seeds[0].isdisjoint(seeds[2])
    assert seeds[1].isdisjoint(seeds[2])
    assert any("they are not measured on" in note for note in parts.notes)
    assert parts.copies["validation"]["kept"] is False
    unlooked = parts_of(whole, Settings(validation=0.3, test=0.2), check=False)
    assert sum(map(len, (unlooked.train, unlooked.validation, unlooked.test))) == len(whole)


def test_three_parts_share_no_class(tmp_path: Path) -> None:
    ids = tuple(f"{at}.png" for at in range(60))
    whole = Samples(names=ids, sources=ids, labels=LabelSets.of([f"kind{at % 20}"] for at in range(60)))
    parts = parts_of(whole, Settings(validation=0.25, test=0.2), check=False)
    classes = [set(part.labels.names) for part in (parts.train, parts.validation, parts.test) if part.labels]
    assert [len(some) for some in classes] == [12, 4, 4]
    assert len(set.union(*classes)) == 20
    assert (parts.by, parts.test_by) == ("class", "class")


def test_what_was_found_is_remembered_until_a_file_changes(tmp_path: Path) -> None:
    train = samples(write(tmp_path / "train", range(6)))
    other = samples(write(tmp_path / "other", range(4, 9), "half"))
    memory = tmp_path / "copies.json"
    first = parts_of(train, Settings(), validation=other, allow_copies=True, memory=memory)
    time = memory.stat().st_mtime_ns
    again = parts_of(train, Settings(), validation=other, allow_copies=True, memory=memory)
    assert (again.copies, again.notes) == (first.copies, first.notes)
    assert memory.stat().st_mtime_ns == time
    Pillow.fromarray(picture(77)).save(tmp_path / "other" / "4.png")
    changed = parts_of(train, Settings(), validation=other, allow_copies=True, memory=memory)
    assert changed.copies == {"validation": {"images": 1, "kept": True}}


def test_images_of_one_colour_are_told_apart_by_it(tmp_path: Path) -> None:
    paths = []
    for at, grey in enumerate((10, 90, 170, 250)):
        paths.append(tmp_path / f"{at}.png")
        Pillow.fromarray(np.full((40, 40, 3), grey, np.uint8)).save(paths[-1])
    Pillow.fromarray(np.full((20, 20, 3), 170, np.uint8)).save(tmp_path / "again.png")
    found = copies_between(prints_of(samples(paths), 1), prints_of(samples([tmp_path / "again.png"]), 1))
    assert found.first.tolist() == [2]
