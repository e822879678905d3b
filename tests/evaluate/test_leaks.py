"""Copies between queries and base, and between two collections; each signal alone is not believed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.collection import Collection
from lookalike.errors import BadInput
from lookalike.evaluate import leaks as module
from lookalike.evaluate.leaks import Leaks, find_leaks, find_leaks_between
from lookalike.evaluate.same_picture import same_picture, thumbnail
from lookalike.types import Image, Rows
from pictures import picture, write_pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight pictures; of the first an equal file, of the second a smaller, re-encoded one, of the third a view."""
    made = tmp_path / "photos"
    paths = write_pictures(made, 8)
    (made / "equal.png").write_bytes(paths[0].read_bytes())
    Pillow.open(paths[1]).resize((72, 72)).save(made / "smaller.jpg", quality=80)
    Pillow.fromarray(picture(2, view=9)).save(made / "view.png")
    return made


def index(folder: Path, path: Path) -> Collection:
    made = lookalike.open(path)
    made.add(folder)
    return made


def rows_of(photos: Collection, *ids: str) -> Rows:
    return np.array([record.row for record in photos.store.get(list(ids)) if record], np.int64)


def named(left: Collection, right: Collection, found: Leaks) -> list[tuple[str, str, bool]]:
    sides = [
        [record.id.removesuffix(".png") for record in side.store.get_rows(rows) if record]
        for side, rows in ((left, found.rows_a), (right, found.rows_b))
    ]
    return list(zip(*sides, found.exact.tolist(), strict=True))


def test_finds_equal_files_and_copies_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    photos = index(folder, tmp_path / "c.collection")
    found = find_leaks(photos, np.array([record.row for record in photos]))
    pairs = [({a, b}, exact) for a, b, exact in named(photos, photos, found)]
    assert pairs == [({"picture-0000", "equal"}, True), ({"picture-0001", "smaller.jpg"}, False)]
    assert found.scores[0] == 1
    assert 0.85 <= found.scores[1] <= 1
    assert found.to_json() == {"exact": 1, "near": 1, "changed": 0, "unverified": 0, "unaligned": 0, "threshold": 0.85}
    some = rows_of(photos, "picture-0000.png", "smaller.jpg", "picture-0005.png")
    assert found.touched(some).tolist() == sorted(some[:2].tolist())


def test_only_what_is_asked_of_whom(folder: Path, tmp_path: Path) -> None:
    photos = index(folder, tmp_path / "c.collection")
    queries = rows_of(photos, "smaller.jpg", "picture-0000.png")
    found = find_leaks(photos, queries)
    assert named(photos, photos, found) == [
        ("picture-0000", "equal", True),
        ("smaller.jpg", "picture-0001", False),
    ]
    base = rows_of(photos, "picture-0001.png", "picture-0003.png")
    assert named(photos, photos, find_leaks(photos, queries, base_rows=base)) == [
        ("smaller.jpg", "picture-0001", False)
    ]
    assert len(find_leaks(photos, queries, base_rows=base[1:])) == 0
    assert len(find_leaks(photos, queries[:0])) == 0


def test_between_two_collections(folder: Path, tmp_path: Path) -> None:
    train = index(folder, tmp_path / "train.collection")
    other = tmp_path / "test"
    write_pictures(other, 2, start=20)
    Pillow.open(folder / "picture-0004.png").convert("RGB").save(other / "four.jpg", quality=70)
    (other / "five.png").write_bytes((folder / "picture-0005.png").read_bytes())
    test = index(other, tmp_path / "test.collection")
    assert named(train, test, find_leaks_between(train, test)) == [
        ("picture-0005", "five", True),
        ("picture-0004", "four.jpg", False),
    ]


def test_images_that_cannot_be_read_are_counted_not_believed(folder: Path, tmp_path: Path) -> None:
    photos = index(folder, tmp_path / "c.collection")
    everything = np.array([record.row for record in photos])
    before = find_leaks(photos, everything)
    (folder / "smaller.jpg").unlink()
    found = find_leaks(photos, everything)
    assert [exact for *_, exact in named(photos, photos, found)] == [True]
    assert found.unverified >= before.unverified + 1
    none = find_leaks(photos, everything, most_images=0)
    assert len(none) == 1
    assert none.unverified >= found.unverified


def test_too_many_candidates_raise_the_threshold(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = index(folder, tmp_path / "c.collection")
    from lookalike.collection import near_pairs

    monkeypatch.setattr(near_pairs, "MOST_PAIRS", 4)
    found = find_leaks(photos, np.array([record.row for record in photos]), threshold=-1.0)
    assert found.threshold > -1
    assert len(found) >= 1
    assert module.NEAR == 0.85


def test_imported_vectors_of_another_kind_compare_bytes_only(tmp_path: Path) -> None:
    from lookalike.collection.transfer import import_vectors

    vectors = (5 * np.random.default_rng(0).standard_normal((4, 3))).astype(np.float32)
    np.save(tmp_path / "v.npy", np.concatenate([vectors, vectors]))
    photos, _ = import_vectors(tmp_path / "c.collection", tmp_path / "v.npy")
    found = find_leaks(photos, np.array([record.row for record in photos]))
    assert len(found) == 0
    assert found.to_json()["threshold"] is None


def test_different_embedders_are_refused(folder: Path, tmp_path: Path) -> None:
    from lookalike.collection.transfer import import_vectors

    train = index(folder, tmp_path / "c.collection")
    unit = np.eye(4, train.space.dim, dtype=np.float32)
    np.save(tmp_path / "v.npy", unit)
    other, _ = import_vectors(tmp_path / "d.collection", tmp_path / "v.npy")
    with pytest.raises(BadInput, match="different embedders"):
        find_leaks_between(train, other)


def shots(*images: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.stack([thumbnail(image) for image in images])


@pytest.mark.parametrize("seed", range(6))
def test_the_same_picture_turned_mirrored_and_brighter(seed: int) -> None:
    given = picture(seed, side=120)
    brighter = (given.astype(np.int16) * 9 // 10).astype(np.uint8)
    views = [given, given[:, ::-1], given[::-1], np.rot90(given), np.rot90(given[:, ::-1]), brighter, given[1:, 2:]]
    views = [np.ascontiguousarray(view) for view in views]
    assert same_picture(shots(*[given] * len(views)), shots(*views)).tolist() == [True] * len(views)
    others = [picture(seed + 50, side=120), picture(seed, side=120, view=20), given[20:, 20:], given[:, :, [1, 2, 0]]]
    others = [np.ascontiguousarray(other) for other in others]
    assert same_picture(shots(*[given] * len(others)), shots(*others)).tolist() == [False] * len(others)


def test_pictures_of_one_colour_are_the_same_when_the_colour_is() -> None:
    white, black, near_white = (np.full((40, 40, 3), value, np.uint8) for value in (255, 0, 254))
    assert same_picture(shots(white, white), shots(near_white, black)).tolist() == [True, False]


def test_real_copies(shared_data: Path, tmp_path: Path) -> None:
    """Of copies that were really made, all that are re-encoded, resized, mirrored or grey are found, and no others."""
    photos = index(shared_data / "near_dup", tmp_path / "c.collection")
    with (shared_data / "near_dup" / "labels.csv").open() as lines:
        facts = {line["file"]: (line["base_image"], line["transform"]) for line in csv.DictReader(lines)}
    # The labels call it an image of its own; it is the photograph 00120, with an alpha channel.
    facts["alpha_channel_image.png"] = ("ukbench00120", "original")
    present = [record.id for record in photos if record.id in facts]
    easy = {"original", "resize", "hflip", "gray"}
    sought = {
        frozenset([a, b])
        for a in present
        for b in present
        if a < b and facts[a][0] == facts[b][0] and {facts[a][1], facts[b][1]} <= easy
    }
    found = find_leaks(photos, np.array([record.row for record in photos]))
    pairs = {
        frozenset(record.id for record in photos.store.get_rows([a, b]) if record)
        for a, b in zip(found.rows_a.tolist(), found.rows_b.tolist(), strict=True)
    }
    assert len(sought) == 26
    assert pairs == sought
