"""Boxes of a truth: queries, and where the format says so what is searched, are the parts that they name."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.collection import Collection
from lookalike.evaluate.boxes import by_parts
from lookalike.evaluate.evaluation import Evaluation
from lookalike.evaluate.outside import with_outside
from lookalike.evaluate.protocols import run_protocol
from lookalike.evaluate.report import write_report
from lookalike.evaluate.truth import join, read_truth
from lookalike.types import Image
from pictures import picture

Box = tuple[float, float, float, float]
PLACES: Mapping[str, tuple[int, Box]] = {  # what the part shows, and where it is
    "q0": (1, (40, 50, 136, 146)),
    "q1": (2, (3.4, 60.6, 99.2, 156.7)),  # Pillow takes 3, 61, 99, 157
}


def within(seed: int, box: Box, *, ground: int) -> Image:
    """Return a large picture that has another one at a place."""
    canvas = np.ascontiguousarray(picture(ground, side=220))
    x, y = round(box[0]), round(box[1])
    canvas[y : y + 96, x : x + 96] = picture(seed)
    return canvas


@pytest.fixture
def oxford(tmp_path: Path) -> Path:
    """A copy in the layout of Revisited Oxford: gnd_*.pkl beside jpg/; the queries are not in imlist."""
    data = tmp_path / "roxford5k"
    (data / "jpg").mkdir(parents=True)
    names = [f"all_souls_{seed:06d}" for seed in range(5)]
    for seed, name in enumerate(names):
        Pillow.fromarray(picture(seed)).save(data / "jpg" / f"{name}.png")
    for name, (seed, box) in PLACES.items():
        Pillow.fromarray(within(seed, box, ground=40 + seed)).save(data / "jpg" / f"{name}.png")
    truth = {
        "imlist": names,
        "qimlist": list(PLACES),
        "gnd": [
            {"bbx": list(PLACES["q0"][1]), "easy": np.array([1]), "hard": np.array([], int), "junk": np.array([3])},
            {"bbx": np.array(PLACES["q1"][1]), "easy": np.array([2]), "hard": np.array([0]), "junk": []},
        ],
    }
    (data / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(truth, protocol=2))
    return data


def evaluated(photos: Collection, path: Path, *, boxes: bool = True, protocol: str | None = None) -> Evaluation:
    joined = with_outside(photos, join(read_truth(path), photos), boxes=boxes)
    return run_protocol(photos, joined, protocol)


def found(photos: Collection, evaluation: Evaluation, at: int) -> dict[str, float]:
    """Return id -> score of what was shown."""
    rows = evaluation.shown[at][evaluation.shown[at] >= 0]
    records = photos.store.get_rows(rows.tolist())
    return {
        Path(record.id).stem: float(score)
        for record, score in zip(records, evaluation.shown_scores[at], strict=False)
        if record
    }


def cut(path: Path, box: Box) -> Image:
    """Cut by Pillow, as the benchmark's own program does it."""
    with Pillow.open(path) as opened:
        return np.asarray(opened.convert("RGB").crop(box))


def cosines(photos: Collection, image: Image, others: Mapping[str, Image]) -> dict[str, float]:
    vectors: npt.NDArray[np.float32] = photos.embedder.embed([image, *others.values()]).astype(np.float32)
    return dict(zip(others, (vectors[1:] @ vectors[0]).tolist(), strict=True))


@pytest.mark.parametrize("stored", [False, True])
def test_a_query_of_revisited_oxford_is_its_box(oxford: Path, tmp_path: Path, stored: bool) -> None:
    photos = lookalike.open(tmp_path / "c.collection")
    some = sorted((oxford / "jpg").glob("all_*"))
    photos.add([*some, *(sorted((oxford / "jpg").glob("q*")) if stored else [])])
    evaluation = evaluated(photos, oxford)
    assert evaluation.query_boxes == tuple(box for _, box in PLACES.values())
    assert (evaluation.query_rows >= 0).all() == stored
    for at, (name, (seed, box)) in enumerate(PLACES.items()):
        wanted = cosines(
            photos,
            cut(oxford / "jpg" / f"{name}.png", box),
            {f"all_souls_{n:06d}": picture(n) for n in range(5) if (name, n) != ("q0", 3)},  # 3 is junk to q0
        )
        got = found(photos, evaluation, at)
        assert got == pytest.approx(wanted, abs=1e-5)
        assert next(iter(got)) == f"all_souls_{seed:06d}"
        assert got[f"all_souls_{seed:06d}"] == pytest.approx(1, abs=1e-5)
    notes = evaluation.protocol["notes"]
    assert isinstance(notes, list)
    assert "2 queries are parts of their images" in notes[0]

    whole = evaluated(photos, oxford, boxes=False)
    assert not whole.query_boxes
    assert "were not applied" in str(whole.protocol["notes"])
    wanted = cosines(photos, within(1, PLACES["q0"][1], ground=41), {"all_souls_000001": picture(1)})
    assert found(photos, whole, 0)["all_souls_000001"] == pytest.approx(wanted["all_souls_000001"], abs=1e-5)
    assert wanted["all_souls_000001"] < 0.95


def test_the_report_shows_the_part(oxford: Path, tmp_path: Path) -> None:
    photos = lookalike.open(tmp_path / "c.collection")
    photos.add(oxford / "jpg")
    page = write_report(evaluated(photos, oxford), records=photos.store, folder=tmp_path / "r").read_text("utf-8")
    assert page.count('<span class="note">cut to its box</span>') >= 2
    plain = evaluated(photos, oxford, boxes=False)
    assert "cut to its box" not in write_report(plain, records=photos.store, folder=tmp_path / "s").read_text("utf-8")


def test_boxes_of_oml_cut_queries_and_gallery(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    lines: list[tuple[str, str, str, bool, bool, str, str, str, str]] = []
    images: dict[str, Image] = {}
    for at in range(6):
        box = (10 + at, 20.0, 106 + at, 116.0)
        large = within(at // 2, box, ground=60 + at)
        boxed = at != 5  # the last one counts whole
        Pillow.fromarray(large).save(folder / f"{at}.png")
        images[str(at)] = np.asarray(Pillow.fromarray(large).crop(box)) if boxed else large
        cells = [f"{edge:g}" for edge in (box[0], box[2], box[1], box[3])] if boxed else [""] * 4
        lines.append((str(at // 2), f"{at}.png", "validation", True, True, cells[0], cells[1], cells[2], cells[3]))
    with (folder / "df.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["label", "path", "split", "is_query", "is_gallery", "x_1", "x_2", "y_1", "y_2"])
        writer.writerows(lines)
    photos = lookalike.open(tmp_path / "c.collection")
    photos.add(folder)
    evaluation = evaluated(photos, folder / "df.csv")
    assert len(evaluation) == 6
    for at in range(6):
        others = {name: image for name, image in images.items() if name != str(at)}
        wanted = cosines(photos, images[str(at)], others)
        got = found(photos, evaluation, at)
        assert got == pytest.approx(wanted, abs=1e-5)
        assert list(got) == sorted(got, key=lambda name: (-got[name], name))
    assert evaluation.judged.ranks[0] == 1
    assert "5 images that are searched are cut to theirs" in str(evaluation.protocol["notes"])
    # Nothing of it stays: the collection finds whole images as before.
    assert photos.search(f"{folder}/0.png", 1)[0].score == pytest.approx(1, abs=1e-5)


def test_parts_and_wholes_are_one_ranking_whatever_is_allowed(oxford: Path, tmp_path: Path) -> None:
    photos = lookalike.open(tmp_path / "c.collection")
    photos.add(oxford / "jpg")
    joined = with_outside(photos, join(read_truth(oxford), photos))
    assert by_parts(photos.searcher, joined) is photos.searcher  # what Oxford searches is whole
    truth = read_truth(oxford)
    object.__setattr__(truth, "boxes_in_base", True)
    joined = with_outside(photos, join(truth, photos))
    both = by_parts(photos.searcher, joined)
    assert joined.parts is not None
    vectors = photos.searcher.vectors(joined.all_rows).copy()
    place = {int(row): at for at, row in enumerate(joined.all_rows)}
    for at, number in joined.parts.place.items():
        vectors[place[int(joined.rows[at])]] = joined.parts.vectors[number]
    asked = vectors[:3]
    for allowed in (None, joined.all_rows[::2], joined.rows[list(joined.parts.place)], joined.all_rows[:0]):
        among = joined.all_rows if allowed is None else np.sort(allowed)
        result = both.search(asked, 4, allowed=allowed)
        some = vectors[[place[int(row)] for row in among]]
        scores = np.round(asked.astype(np.float64) @ some.T.astype(np.float64), 6)  # equal pictures tie
        for query in range(3):
            order = np.lexsort((among, -scores[query]))[:4]
            wanted = [int(among[n]) for n in order] + [-1] * (4 - len(order))
            assert result.rows[query].tolist() == wanted
    assert both.vectors(joined.all_rows[:2]).shape == (2, photos.space.dim)


def test_boxes_that_cannot_be_applied_leave_whole_images_and_are_counted(oxford: Path, tmp_path: Path) -> None:
    path = oxford / "gnd_roxford5k.pkl"
    truth = pickle.loads(path.read_bytes())
    truth["gnd"][0]["bbx"] = [500.0, 500.0, 600.0, 600.0]
    path.write_bytes(pickle.dumps(truth))
    photos = lookalike.open(tmp_path / "c.collection")
    photos.add(oxford / "jpg")
    evaluation = evaluated(photos, oxford)
    assert evaluation.query_boxes == (None, PLACES["q1"][1])
    notes = evaluation.protocol["notes"]
    assert isinstance(notes, list)
    one, failed = notes
    assert one.startswith("1 query is a part of its image")
    assert "1 box could not be applied" in failed
    assert "the box 500,500,600,600 has no part of" in failed
    assert "220 x 220 pixels" in failed
