"""What is said of leaks before the figures, and what leaving them out changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.collection import Collection
from lookalike.evaluate.leak_report import between_sentences, leaks_of_plan, without_leaks
from lookalike.evaluate.leaks import find_leaks_between
from lookalike.evaluate.outside import with_outside
from lookalike.evaluate.protocols import plan_of, run_protocol
from lookalike.evaluate.summary import summarise
from lookalike.evaluate.truth import Joined, join, read_truth
from pictures import picture


@pytest.fixture
def photos(tmp_path: Path) -> Collection:
    """Four pictures in two classes that look unlike; of a0 a copy with the same label, of b0 one with another."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, seed in {"a0": 1, "a1": 2, "b0": 3, "b1": 4}.items():
        Pillow.fromarray(picture(seed)).save(folder / f"{name}.png")
    (folder / "a-copy.png").write_bytes((folder / "a0.png").read_bytes())
    Pillow.fromarray(picture(3)).save(folder / "b-copy.jpg", quality=85)
    labels = {"a0.png": "a", "a1.png": "a", "a-copy.png": "a", "b0.png": "b", "b1.png": "b", "b-copy.jpg": "c"}
    (tmp_path / "truth.csv").write_text("file,label\n" + "".join(f"{k},{v}\n" for k, v in labels.items()))
    made = lookalike.open(tmp_path / "c.collection")
    made.add(folder)
    return made


def joined(photos: Collection) -> Joined:
    return join(read_truth(photos.path.parent / "truth.csv"), photos)


def test_copies_are_counted_and_told_apart_by_the_truth(photos: Collection) -> None:
    truth = joined(photos)
    found = leaks_of_plan(photos, truth, plan_of(truth))
    # All six images ask; a0, a-copy, b0 and b-copy have a copy.
    assert found.to_json() == {
        "exact": 1, "near": 1, "changed": 0, "unverified": 0, "unaligned": 0, "threshold": 0.85,
        "queries": 4, "relevant": 1,
    }  # fmt: skip
    assert found.queries == 6
    said = " ".join(found.sentences())
    assert "1 pair of equal bytes, 1 of equal pixels" in said
    assert "a-copy.png = a0.png" in said
    assert "1 of these pairs belong together by the truth" in said
    assert "1 of them do not" in said


def test_without_them_a_copy_is_neither_right_nor_wrong(photos: Collection) -> None:
    truth = joined(photos)
    leaks = leaks_of_plan(photos, truth, plan_of(truth))
    before = run_protocol(photos, truth)
    after = run_protocol(photos, without_leaks(truth, leaks))
    ids = [str(id) for id in before.judged.query_ids] if before.judged.query_ids is not None else []
    a0 = ids.index("a0.png")
    assert before.judged.total[a0] == 2
    assert before.shown_grades[a0, 0] > 0  # the copy is found first
    ids = [str(id) for id in after.judged.query_ids] if after.judged.query_ids is not None else []
    a0 = ids.index("a0.png")
    assert after.judged.total[a0] == 1
    copies = {record.row for record in photos.store.get(["a-copy.png"]) if record}
    assert not copies & set(after.shown[a0].tolist())
    keys = ["hit_rate@1"]
    assert summarise(after.judged, keys)["hit_rate@1"].value <= summarise(before.judged, keys)["hit_rate@1"].value


def test_queries_from_outside_are_looked_at_too(photos: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "asking"
    folder.mkdir()
    Pillow.fromarray(picture(2)).save(folder / "q-copy.jpg", quality=85)
    Pillow.fromarray(picture(20)).save(folder / "q-new.jpg", quality=85)
    (tmp_path / "truth.csv").write_text("file,label\na0.png,a\na1.png,a\nb0.png,b\nq-copy.jpg,a\nq-new.jpg,b\n")
    truth = with_outside(photos, joined(photos), folder)
    found = leaks_of_plan(photos, truth, plan_of(truth, "full"))
    assert (found.queries, found.touched, len(found.outside)) == (2, 1, 1)
    assert found.relevant.tolist() == [True]
    assert found.examples[0].endswith("q-copy.jpg = a1.png")
    before, after = (run_protocol(photos, each, "full") for each in (truth, without_leaks(truth, found)))
    assert before.judged.total.tolist() == [2, 1]
    assert after.judged.total.tolist() == [1, 1]


def test_no_leak_is_said_too(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        Pillow.fromarray(picture(seed)).save(folder / f"{seed}.png")
    (tmp_path / "truth.csv").write_text("file,label\n0.png,a\n1.png,a\n2.png,b\n3.png,b\n")
    with lookalike.open(tmp_path / "c.collection") as photos:
        photos.add(folder)
        truth = join(read_truth(tmp_path / "truth.csv"), photos)
        found = leaks_of_plan(photos, truth, plan_of(truth))
        assert found.sentences()[0].startswith("No query has a copy in the base")
        some = replace(found, inside=replace(found.inside, unverified=9)).sentences()
        assert some[0].startswith("No copy of a query was found in the base, as far as was looked")
        assert some[1].startswith("9 more pairs score that high; their pixels were not compared")
        same = without_leaks(truth, found)
        assert np.array_equal(run_protocol(photos, same).judged.ranks, run_protocol(photos, truth).judged.ranks)


def test_train_and_test(photos: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "test"
    folder.mkdir()
    Pillow.fromarray(picture(4)).save(folder / "four.jpg", quality=80)
    Pillow.fromarray(picture(40)).save(folder / "forty.jpg", quality=80)
    with lookalike.open(tmp_path / "test.collection") as test:
        test.add(folder)
        said = between_sentences(find_leaks_between(photos, test), photos, test)
    assert "1 of 2 tested images are copies" in said[0]
    assert "b1.png = four.jpg" in said[0]
