"""Benchmarks of the project's own data: tiny copies of their layouts, and what is read, held out and searched."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast
from zlib import crc32

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.collection import Collection
from lookalike.embed import create
from lookalike.errors import BadInput, NoSuchFile, UnknownName
from lookalike.evaluate.benchmarks import BENCHMARKS, Material, held_out, read_benchmark
from lookalike.evaluate.benchmarks.base import without_skin_tone
from lookalike.evaluate.benchmarks.running import index_benchmark, prepare, run_benchmark, taught_by
from lookalike.evaluate.benchmarks.universal import training
from lookalike.evaluate.summary import per_query
from lookalike.protocols import Embedder, Learns
from pictures import picture


def png(seed: int, view: int = 0) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(picture(seed, side=32, view=view)).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path: Path, members: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write_csv(path: Path, *rows: tuple[object, ...]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    with lookalike.open(tmp_path / "c.collection", embedder="color-histogram") as opened:
        yield opened


def classes(count: int, *, out: bool) -> list[str]:
    """The first names that are held out, or that are not."""
    names = (f"class{n}" for n in range(1000))
    return [name for name in names if (int(hashlib.sha1(name.encode()).hexdigest(), 16) % 5 == 0) == out][:count]


def test_one_class_in_five_is_held_out_as_the_splits_say() -> None:
    assert held_out("Balinese")
    assert not held_out("Greek")
    assert 150 < sum(held_out(str(n)) for n in range(1000)) < 250


def test_skin_tones_are_no_classes() -> None:
    assert [without_skin_tone(code) for code in ("1f44b-1f3fb", "1f44b", "1f9d1-1f3ff-200d-2695", "1f3fa")] == [
        "1f44b",
        "1f44b",
        "1f9d1-200d-2695",
        "1f3fa",
    ]


def test_every_name_is_described() -> None:
    wanted = {"fashion-mnist", "omniglot", "emoji", "logos", "scenes", "grocery", "coco", "near_dup"}
    wanted |= {"photos", "universal"}
    wanted |= {"sop", "inshop", "cub", "cars", "market1501", "roxford5k", "rparis6k", "gldv2", "disc21"}
    assert set(BENCHMARKS) == wanted
    assert all(b.about and b.layout and b.source for b in BENCHMARKS.values())


def emoji_like(folder: Path, name: str, column: str, archive: str) -> tuple[list[str], list[str]]:
    """Write two held-out and two other classes with two drawings each, and one distractor without a class."""
    out, seen = classes(2, out=True), classes(2, out=False)
    files = {f"{vendor}/{code}.png": code for vendor in ("a", "b") for code in (*out, *seen)} | {"a/none.png": ""}
    target = folder / name
    write_tar(
        target / archive, {file: png(crc32(code.encode()) % 99, at) for at, (file, code) in enumerate(files.items())}
    )
    write_csv(target / "labels.csv", ("file", column), *files.items())
    return out, seen


@pytest.mark.parametrize(
    ("name", "column", "archive"),
    [("emoji", "codepoint", "emoji.tar"), ("logos", "brand", "logos.tar"), ("scenes", "scene", "images.tar")],
)
def test_held_out_classes_alone_are_searched_by_default(
    tmp_path: Path, photos: Collection, name: str, column: str, archive: str
) -> None:
    out, seen = emoji_like(tmp_path, name, column, archive)
    material = read_benchmark(name, tmp_path)
    assert material.part == "held-out"
    index_benchmark(photos, material)
    assert {record.id for record in photos} == {f"{v}/{code}.png" for v in "ab" for code in out} | {"a/none.png"}
    evaluation = run_benchmark(photos, prepare(photos, material.runs[0]))
    # The distractor is searched, and does not search.
    assert (evaluation.protocol["queries"], evaluation.protocol["base"]) == (4, 5)
    assert evaluation.judged.classes is not None
    assert set(evaluation.judged.classes) == set(out)

    # All classes join the same collection; the held-out figures are then the same, though it holds more.
    whole = read_benchmark(name, tmp_path, part="all")
    report = index_benchmark(photos, whole)
    assert (report.added, report.unchanged) == (4, 5)
    evaluation_of_all = run_benchmark(photos, prepare(photos, whole.runs[0]))
    assert set(evaluation_of_all.judged.classes if evaluation_of_all.judged.classes is not None else ()) == {
        *out,
        *seen,
    }
    again = run_benchmark(photos, prepare(photos, material.runs[0]))
    assert np.array_equal(again.shown, evaluation.shown)
    assert again.judged.ranks.tolist() == evaluation.judged.ranks.tolist()


def test_grocery_has_two_runs_with_queries_and_base_of_their_own(tmp_path: Path, photos: Collection) -> None:
    (fruit,), (other,) = classes(1, out=True), classes(1, out=False)
    rows = [
        (f"{s}/{f}/{n}.png", s, f) for f in (fruit, other) for s in ("iconic", "train", "val", "test") for n in "12"
    ]
    write_tar(tmp_path / "grocery" / "images.tar", {file: png(at) for at, (file, *_) in enumerate(rows)})
    write_csv(tmp_path / "grocery" / "labels.csv", ("file", "split", "fine"), *rows)
    material = read_benchmark("grocery", tmp_path / "grocery")
    index_benchmark(photos, material)
    iconic, test = (run_benchmark(photos, prepare(photos, run)) for run in material.runs)
    ids = {record.row: record.id for record in photos}
    assert {ids[row].split("/")[0] for row in iconic.query_rows.tolist()} == {"iconic"}
    assert {ids[row].split("/")[0] for row in iconic.shown.ravel().tolist()} == {"train", "val", "test"}
    assert {ids[row].split("/")[0] for row in test.query_rows.tolist()} == {"test"}
    assert {ids[row].split("/")[0] for row in test.shown.ravel().tolist()} == {"train"}
    assert [run.name for run in material.runs] == ["iconic-to-photo", "test-to-train"]
    assert all(fruit in id for id in ids.values())


def test_coco_grades_by_shared_classes(tmp_path: Path, photos: Collection) -> None:
    write_tar(tmp_path / "coco128" / "images.tar", {f"{n}.png": png(n) for n in range(4)})
    boxes = [("0.png", "cat"), ("0.png", "cat"), ("0.png", "dog"), ("1.png", "cat"), ("2.png", "dog"), ("2.png", "cat")]
    write_csv(tmp_path / "coco128" / "boxes.csv", ("file", "class_name"), *boxes)
    material = read_benchmark("coco", tmp_path)
    index_benchmark(photos, material)
    evaluation = run_benchmark(photos, prepare(photos, material.runs[0]))
    ids = {record.row: record.id for record in photos}
    grades = {
        (ids[int(query)], ids[row]): round(float(grade), 3)
        for query, rows, some in zip(evaluation.query_rows, evaluation.shown, evaluation.shown_grades, strict=True)
        for row, grade in zip(rows.tolist(), some, strict=True)
        if row >= 0
    }
    assert grades["0.png", "1.png"] == 0.5  # {cat, dog} and {cat}: one of two
    assert grades["0.png", "2.png"] == 1.0
    assert grades["0.png", "3.png"] == 0.0  # no boxes: a distractor, in the base and no query
    assert set(query for query, _ in grades) == {"0.png", "1.png", "2.png"}


def write_omniglot(path: Path, alphabets: Mapping[str, int], *, drawers: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for alphabet, characters in alphabets.items():
            for character in range(1, characters + 1):
                for drawer in range(1, drawers + 1):
                    name = f"{path.stem}/{alphabet}/character{character:02d}/{drawer:04d}.png"
                    archive.writestr(name, png(crc32(f"{alphabet}{character}".encode()) % 97, drawer))


def test_omniglot_draws_within_and_across_alphabets_and_says_that_they_differ(
    tmp_path: Path, photos: Collection
) -> None:
    write_omniglot(tmp_path / "images_background_small1.zip", {"Balinese": 20, "Greek": 21})
    write_omniglot(tmp_path / "images_background_small2.zip", {"Greek": 21})
    whole = read_benchmark("omniglot", tmp_path, part="all")
    assert [run.protocol for run in whole.runs] == ["20-way-1-shot-within", "20-way-1-shot"]
    assert all("not comparable" in " ".join(run.notes) for run in whole.runs)
    assert len(whole.names) == 41 * 3  # Greek is in both archives, and counts once
    index_benchmark(photos, whole)
    within, across = (run_benchmark(photos, prepare(photos, run)) for run in whole.runs)
    assert within.judged.query_ids is not None
    assert across.judged.query_ids is not None
    ids = {record.row: record.id for record in photos}

    def mixed(rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float:
        """The share of results of another alphabet than the query's."""
        return float(np.mean([len({ids[row].split("/")[1] for row in some}) > 1 for some in rows.tolist()]))

    assert mixed(within.shown) == 0
    assert mixed(across.shown) > 0.9
    assert set(within.judged.classes if within.judged.classes is not None else ()) == {"Balinese", "Greek"}

    (only,) = read_benchmark("omniglot", tmp_path).runs  # one alphabet is held out: there is no across
    assert only.name == "within-alphabet"
    assert "Across alphabets needs two" in " ".join(only.notes)


def write_idx(folder: Path, part: str, labels: list[int], seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    folder.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 6, 5), np.uint8)
    head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in images.shape)
    (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    flat = b"\0\0\x08\x01" + len(labels).to_bytes(4, "big") + bytes(labels)
    (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(flat))
    return images


def test_fashion_mnist_searches_training_images_with_test_images(tmp_path: Path, photos: Collection) -> None:
    folder = tmp_path / "fashion-mnist"
    write_idx(folder, "train20k", [0, 0, 1, 1, 2], 0)
    write_idx(folder, "t10k", [0, 1], 1)
    material = read_benchmark("fashion-mnist", tmp_path)
    index_benchmark(photos, material)
    evaluation = run_benchmark(photos, prepare(photos, material.runs[0]))
    ids = {record.row: record.id for record in photos}
    assert [ids[row] for row in evaluation.query_rows.tolist()] == ["t10k/00000", "t10k/00001"]
    assert {ids[row] for row in evaluation.shown.ravel().tolist()} == {f"train20k/0000{n}" for n in range(5)}
    assert evaluation.judged.total.tolist() == [2, 2]
    assert index_benchmark(photos, material).unchanged == 7


def test_images_that_lie_in_no_file_of_their_own_teach_as_well(tmp_path: Path) -> None:
    write_idx(tmp_path / "fashion-mnist", "train20k", [0, 0, 1, 1, 2], 0)
    write_idx(tmp_path / "fashion-mnist", "t10k", [0, 1], 1)
    material = read_benchmark("fashion-mnist", tmp_path)
    made = taught_by("eigenfaces", material)
    assert isinstance(made, Learns)
    assert made.fitted
    images = [np.repeat(image[:, :, None], 3, axis=2) for image in (material.pixels or dict)().values()]
    pupil = create("eigenfaces")
    assert isinstance(pupil, Learns)
    by_hand = pupil.fit(images, 0)
    assert cast(Embedder, made).fingerprint == by_hand.fingerprint
    assert taught_by("dhash", material) == "dhash"


def test_damaged_idx_images_are_named(tmp_path: Path, photos: Collection) -> None:
    write_idx(tmp_path, "t10k", [0, 1], 1)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    with pytest.raises(BadInput, match=r"t10k-images.*should hold 60 bytes of pixels and holds 59"):
        index_benchmark(photos, read_benchmark("fashion-mnist", tmp_path))


def test_mistakes_are_named(tmp_path: Path, photos: Collection) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'emoji'"):
        read_benchmark("emojis", tmp_path)
    with pytest.raises(NoSuchFile, match="no folder"):
        read_benchmark("emoji", tmp_path / "nowhere")
    with pytest.raises(NoSuchFile, match=r"holds no labels\.csv"):
        read_benchmark("emoji", tmp_path)
    write_csv(tmp_path / "labels.csv", ("file", "brand"), ("a.png", "x"))
    with pytest.raises(BadInput, match="has no column 'codepoint'"):
        read_benchmark("emoji", tmp_path)
    (seen,) = classes(1, out=False)
    write_tar(tmp_path / "logos.tar", {"other.png": png(1)})
    write_csv(tmp_path / "labels.csv", ("file", "brand"), ("a.png", seen))
    with pytest.raises(BadInput, match="no image of the classes"):
        read_benchmark("logos", tmp_path)
    with pytest.raises(BadInput, match="none of the 1 images of the benchmark"):
        index_benchmark(photos, read_benchmark("logos", tmp_path, part="all"))


def direct(photos: Collection, material: Material) -> tuple[float, float]:
    """Return mAP and R@1 of leave-one-out over the labels, from the stored vectors by one matrix product."""
    truth = material.runs[0].truth
    assert truth.labels is not None
    label = {name: truth.text(at) for at, name in enumerate(truth.names)}
    records = [record for record in photos if record.id in label]
    table = photos.searcher.vectors(np.array([record.row for record in records])).astype(np.float64)
    names = np.array([label[record.id] for record in records])
    scores = (table @ table.T).astype(np.float32)  # as the search rounds them
    precisions, firsts = [], []
    for at, name in enumerate(names):
        order = np.lexsort((np.arange(len(names)), -scores[at]))
        right = (names[order] == name)[order != at]
        if not name or not right.any():
            continue
        ranks = np.flatnonzero(right) + 1
        precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
        firsts.append(float(right[0]))
    return float(np.mean(precisions)), float(np.mean(firsts))


@pytest.mark.parametrize("name", ["near_dup", "scenes"])
def test_shared_sets_equal_a_direct_computation(shared_data: Path, photos: Collection, name: str) -> None:
    material = read_benchmark(name, shared_data)
    report = index_benchmark(photos, material)
    # near_dup holds an SVG, which is not looked at, and a file that is meant to be damaged.
    assert report.skipped_count == (1 if name == "near_dup" else 0)
    values = per_query(run_benchmark(photos, prepare(photos, material.runs[0])).judged, ["map", "hit_rate@1"])
    expected = direct(photos, material)
    assert [float(np.mean(each)) for each in values.values()] == pytest.approx(expected, abs=1e-9)


def test_splits_of_the_shared_sets(shared_data: Path) -> None:
    """Classes held out, counted with hashlib from the label files themselves."""
    counts = {}
    for name in ("emoji", "logos", "scenes", "grocery"):
        truth = read_benchmark(name, shared_data).runs[0].truth
        assert truth.labels is not None
        assert all(held_out(label) for label in truth.labels.names)
        counts[name] = len(truth.labels.names)
    assert counts == {"emoji": 116, "logos": 49, "scenes": 6, "grocery": 6}


def test_all_sets_in_one_base(tmp_path: Path, photos: Collection) -> None:
    data = tmp_path / "data"
    (kept,) = classes(1, out=True)
    (trained,) = classes(1, out=False)
    write_tar(data / "logos" / "logos.tar", {f"{k}/{v}.png": png(k, v) for k in range(2) for v in range(3)})
    files = [(f"{k}/{v}.png", (kept, trained)[k]) for k in range(2) for v in range(3)]
    write_csv(data / "logos" / "labels.csv", ("file", "brand"), *files)
    write_tar(data / "photos" / "images.tar", {f"p{v}.png": png(7, v) for v in range(2)} | {"q.png": png(9)})
    write_csv(data / "photos" / "labels.csv", ("file", "kind"), ("p0.png", kept), ("p1.png", kept), ("q.png", trained))
    write_tar(data / "scenes" / "images.tar", {f"s{v}.png": png(30, v) for v in range(2)} | {"none.png": png(31)})
    write_csv(data / "scenes" / "labels.csv", ("file", "scene"), ("s0.png", kept), ("s1.png", kept), ("none.png", ""))
    write_tar(data / "coco128" / "images.tar", {f"c{v}.png": png(20, v) for v in range(3)})
    boxes = [("c0.png", "dog"), ("c0.png", "car"), ("c1.png", "car"), ("c2.png", "cat")]
    write_csv(data / "coco128" / "boxes.csv", ("file", "class_name"), *boxes)
    (data / "fashion-mnist").mkdir()
    labels = bytes([0] * 120 + [1] * 5)  # T-shirt/top is held out, Trouser is not
    for part in ("t10k", "train"):
        header = b"\0\0\x08\x01" + len(labels).to_bytes(4, "big")
        (data / "fashion-mnist" / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels))
        sides = b"".join(n.to_bytes(4, "big") for n in (len(labels), 4, 4))
        pixels = np.random.default_rng(0).integers(0, 256, len(labels) * 16, np.uint8).tobytes()
        (data / "fashion-mnist" / f"{part}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(b"\0\0\x08\x03" + sides + pixels)
        )

    material = read_benchmark("universal", data)
    names = set(material.names)
    assert {"0/0.png", "0/1.png", "0/2.png", "p0.png", "p1.png", "c0.png", "c1.png", "c2.png"} <= names
    assert sum(name.startswith("t10k/") for name in names) == 100  # of one class, and none of the training part
    assert len(names) == 111
    learnt = training(data)
    assert {name for name in learnt.names if "/" not in name or name[0] != "t"} == {
        "1/0.png",
        "1/1.png",
        "1/2.png",
        "q.png",
    }
    assert not names & set(learnt.names)

    report = index_benchmark(photos, material)
    assert (report.added, report.unchanged) == (111, 0)
    again = index_benchmark(photos, material)
    assert (again.added, again.unchanged) == (0, 111)
    (run,) = material.runs
    evaluation = run_benchmark(photos, prepare(photos, run))
    assert evaluation.judged.query_ids is not None
    assert evaluation.judged.classes is not None
    total = dict(zip(evaluation.judged.query_ids, evaluation.judged.total, strict=True))
    by_id = dict(zip(evaluation.judged.query_ids, evaluation.judged.classes, strict=True))
    assert total["0/0.png"] == 2  # the other views of the logo, not the photographs of a kind of that name
    assert total["c0.png"] == total["c1.png"] == 1  # they share cars
    assert by_id["p0.png"] == f"photos:{kept}"
    assert by_id["c0.png"] == "coco:c0.png"
    assert "none.png" in names  # a distractor is searched, and does not search
    assert "none.png" not in by_id
