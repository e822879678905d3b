"""Public benchmarks in the layout that they are published in: tiny copies, measured through the whole way."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.collection import Collection
from lookalike.errors import NoSuchFile
from lookalike.evaluate.benchmarks import read_benchmark
from lookalike.evaluate.benchmarks.running import index_benchmark, prepare, run_benchmark
from lookalike.evaluate.evaluation import Evaluation
from lookalike.evaluate.summary import summarise
from pictures import picture


def draw(path: Path, seed: int, view: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(picture(seed, side=32, view=view)).save(path, quality=95)


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    with lookalike.open(tmp_path / "c.collection", embedder="color-histogram") as opened:
        yield opened


def run_all(photos: Collection, name: str, folder: Path) -> dict[str, Evaluation]:
    """Index, run, and check that every metric of the literature has a value."""
    material = read_benchmark(name, folder)
    report = index_benchmark(photos, material)
    assert report.skipped_count == 0
    found = {}
    for run in material.runs:
        evaluation = run_benchmark(photos, prepare(photos, run))
        figures = summarise(evaluation.judged, run.metrics, resamples=20)
        assert all(0 <= figure.value <= 1 for figure in figures.values()), figures
        found[run.name] = evaluation
    return found


def searched(photos: Collection, evaluation: Evaluation) -> dict[str, set[str]]:
    """Return query -> the images among its results."""
    ids = {record.row: record.id for record in photos}
    return {
        ids[int(query)]: {ids[row] for row in rows if row >= 0}
        for query, rows in zip(evaluation.query_rows, evaluation.shown.tolist(), strict=True)
    }


def test_sop(tmp_path: Path, photos: Collection) -> None:
    folder = tmp_path / "Stanford_Online_Products"
    names = [f"mug_final/{product}_{view}.JPG" for product in (11, 12) for view in (0, 1)]
    for at, name in enumerate([*names, "mug_final/5_0.JPG"]):  # the last is of the training part
        draw(folder / name, at // 2, at % 2)
    lines = [f"{at + 1} {11 + at // 2} 1 {name}" for at, name in enumerate(names)]
    (folder / "Ebay_test.txt").write_text("\n".join(["image_id class_id super_class_id path", *lines]), "utf-8")
    (evaluation,) = run_all(photos, "sop", tmp_path).values()
    assert searched(photos, evaluation) == {name: {*names} - {name} for name in names}
    assert evaluation.judged.total.tolist() == [1] * 4


def test_in_shop(tmp_path: Path, photos: Collection) -> None:
    rows = [("img/a/1.jpg", "id_1", "query"), ("img/a/2.jpg", "id_1", "gallery"), ("img/b/1.jpg", "id_2", "gallery")]
    rows += [("img/b/2.jpg", "id_2", "query"), ("img/c/1.jpg", "id_3", "train")]
    for at, (name, *_) in enumerate(rows):
        draw(tmp_path / name, at)
    head = ["5", "image_name item_id evaluation_status"]
    (tmp_path / "list_eval_partition.txt").write_text("\n".join(head + [" ".join(row) for row in rows]), "utf-8")
    (evaluation,) = run_all(photos, "inshop", tmp_path).values()
    gallery = {"img/a/2.jpg", "img/b/1.jpg"}
    assert searched(photos, evaluation) == {"img/a/1.jpg": gallery, "img/b/2.jpg": gallery}


def test_cub(tmp_path: Path, photos: Collection) -> None:
    names = [f"{kind:03d}.Bird/{n}.jpg" for kind in (1, 2, 3, 4) for n in (1, 2)]
    for at, name in enumerate(names):
        draw(tmp_path / "images" / name, at // 2, at % 2)
    (tmp_path / "images.txt").write_text("\n".join(f"{at} {name}" for at, name in enumerate(names, 1)), "utf-8")
    (tmp_path / "image_class_labels.txt").write_text("\n".join(f"{at} {(at + 1) // 2}" for at in range(1, 9)), "utf-8")
    (evaluation,) = run_all(photos, "cub", tmp_path).values()
    unseen = {*names[4:]}  # the second half of the classes
    assert searched(photos, evaluation) == {name: unseen - {name} for name in names[4:]}


def test_cars(tmp_path: Path, photos: Collection) -> None:
    savemat = pytest.importorskip("scipy.io", reason="Cars196 is read by scipy").savemat
    names = [f"car_ims/{at:06d}.jpg" for at in range(1, 9)]
    for at, name in enumerate(names):
        draw(tmp_path / name, at // 2, at % 2)
    kind = [("relative_im_path", object), ("class", object)]
    table = np.array([(name, (at // 2) + 1) for at, name in enumerate(names)], kind)
    savemat(tmp_path / "cars_annos.mat", {"annotations": table[None]})
    (evaluation,) = run_all(photos, "cars", tmp_path).values()
    assert searched(photos, evaluation) == {name: {*names[4:]} - {name} for name in names[4:]}


def test_market(tmp_path: Path, photos: Collection) -> None:
    files = ["query/0001_c1s1_1_00.jpg", "query/0002_c1s1_1_00.jpg"]
    gallery = ["0001_c1s1_2_00.jpg", "0001_c2s1_3_00.jpg", "0002_c3s1_1_00.jpg", "0000_c1s1_9_00.jpg", "-1_c1s1_1.jpg"]
    for at, name in enumerate([*files, *(f"bounding_box_test/{name}" for name in gallery)]):
        draw(tmp_path / name, at)
    (evaluation,) = run_all(photos, "market1501", tmp_path).values()
    found = searched(photos, evaluation)
    # The query's own person by its own camera is left out, junk is not there, person 0 is a distractor.
    kept = {f"bounding_box_test/{name}" for name in gallery[1:4]}
    assert found[files[0]] == kept
    assert found[files[1]] == kept | {f"bounding_box_test/{gallery[0]}"}


def test_revisited(tmp_path: Path, photos: Collection) -> None:
    images = [f"all_souls_{n:06d}" for n in range(5)]
    for at, name in enumerate([*images, "query_1"]):
        draw(tmp_path / "roxford5k" / "jpg" / f"{name}.jpg", at)
    truth = {
        "imlist": images,
        "qimlist": ["query_1"],
        "gnd": [{"easy": [0], "hard": [1], "junk": [2], "bbx": [0.0, 0.0, 9.0, 9.0]}],
    }
    (tmp_path / "roxford5k" / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(truth))
    found = run_all(photos, "roxford5k", tmp_path)
    assert {name: int(each.judged.total[0]) for name, each in found.items()} == {"medium": 2, "easy": 1, "hard": 1}
    left = {name: searched(photos, each)["query_1"] for name, each in found.items()}
    assert left["medium"] == {images[0], images[1], images[3], images[4]}
    assert left["easy"] == {images[0], images[3], images[4]}
    assert left["hard"] == {images[1], images[3], images[4]}


def test_landmarks_search_the_whole_index(tmp_path: Path, photos: Collection) -> None:
    index = ["0a1", "0a2", "0b3"]  # the last one is named by no query
    for at, name in enumerate(index):
        draw(tmp_path / "index" / name[0] / name[1] / f"{name}.jpg", at)
    for at, name in enumerate(["f01", "f02"]):
        draw(tmp_path / "test" / "f" / "0" / f"{name}.jpg", at, view=1)
    rows = ["id,images,Usage", "f01,0a1 0a2,Private", "f02,0a2,Public", "f03,None,Ignored"]
    (tmp_path / "retrieval_solution_v2.1.csv").write_text("\n".join(rows), "utf-8")
    (evaluation,) = run_all(photos, "gldv2", tmp_path).values()
    assert {len(found) for found in searched(photos, evaluation).values()} == {3}
    assert evaluation.judged.total.tolist() == [2, 1]


def test_disc21_counts_queries_that_have_nothing_to_find(tmp_path: Path, photos: Collection) -> None:
    for at in range(4):
        draw(tmp_path / "references" / f"R{at:06d}.jpg", at)
    for at in range(3):
        draw(tmp_path / "queries" / f"Q{at:05d}.jpg", at, view=1)
    (tmp_path / "dev_ground_truth.csv").write_text("query_id,reference_id\nQ00000,R000000\nQ00001,\nQ00002,", "utf-8")
    (evaluation,) = run_all(photos, "disc21", tmp_path).values()
    assert {len(found) for found in searched(photos, evaluation).values()} == {4}
    assert evaluation.judged.total.tolist() == [1, 0, 0]
    # micro AP by hand: the one right pair, at its place among all twelve pairs by score.
    scores = evaluation.shown_scores.ravel()
    right = evaluation.shown_grades.ravel() > 0
    place = int((scores >= scores[right][0]).sum())
    figure = summarise(evaluation.judged, ["micro_ap"], resamples=10)["micro_ap"]
    assert figure.value == pytest.approx(1 / place)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "dev_ground_truth.csv").write_text("query_id,reference_id\nQ00000,R000000", "utf-8")
    with pytest.raises(NoSuchFile, match="references"):
        read_benchmark("disc21", tmp_path)
    with pytest.raises(NoSuchFile, match="retrieval_solution"):
        read_benchmark("gldv2", tmp_path)
