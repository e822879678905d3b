"""`lookalike evaluate` says which queries have a copy in the base before it prints a figure, and leaves them out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image as Pillow

from pictures import picture, write_pictures
from running import Run


@pytest.fixture
def labelled(run: Run, tmp_path: Path) -> Path:
    """Six unlike pictures in three classes, and a re-encoded copy of the first in its class."""
    paths = write_pictures(tmp_path / "photos", 6)
    Pillow.open(paths[0]).save(tmp_path / "photos" / "copy.jpg", quality=80)
    labels = {path.name: "abc"[at % 3] for at, path in enumerate(paths)} | {"copy.jpg": "a"}
    (tmp_path / "truth.csv").write_text("file,label\n" + "".join(f"{file},{of}\n" for file, of in labels.items()))
    assert run("index", "photos")[0] == 0
    return tmp_path


def test_copies_are_named_and_can_be_left_out(run: Run, labelled: Path) -> None:
    code, out, err = run("evaluate", "--truth", "truth.csv", "--metric", "hit_rate@1", "--json")
    assert code == 0, err
    assert "2 of 7 queries have a copy in the base: 0 pairs of equal bytes, 1 of equal pixels" in err
    assert "copy.jpg = picture-0000.png" in err
    with_copies = json.loads(out)
    assert with_copies["leaks"] == {
        "exact": 0, "near": 1, "changed": 0, "unverified": 0, "unaligned": 0, "threshold": 0.85,
        "queries": 2, "relevant": 1, "excluded": False,
    }  # fmt: skip
    code, out, _ = run("evaluate", "--truth", "truth.csv", "--metric", "hit_rate@1", "--json", "--exclude-leaks")
    without = json.loads(out)
    assert without["leaks"]["excluded"] is True
    # Of seven queries two had found their copy; nothing else can have got worse.
    lost = (with_copies["metrics"]["hit_rate@1"]["value"] - without["metrics"]["hit_rate@1"]["value"]) * 7
    assert 0 < round(lost, 6) <= 2


def test_the_check_can_be_left_out(run: Run, labelled: Path) -> None:
    code, out, err = run("evaluate", "--truth", "truth.csv", "--no-leak-check", "--json")
    assert code == 0
    assert "leaks" not in json.loads(out)
    assert "copy in the base" not in err
    code, _, err = run("evaluate", "--truth", "truth.csv", "--no-leak-check", "--exclude-leaks")
    assert code == 2
    assert "needs the leak check" in err


def test_copies_of_training_images(run: Run, labelled: Path) -> None:
    (labelled / "train").mkdir()
    Pillow.open(labelled / "photos" / "picture-0003.png").save(labelled / "train" / "seen.jpg", quality=80)
    Pillow.fromarray(picture(77)).save(labelled / "train" / "other.jpg")
    assert run("index", "train", "--collection", "train.collection")[0] == 0
    code, out, err = run("evaluate", "--truth", "truth.csv", "--train", "train.collection", "--json")
    assert code == 0, err
    assert "1 of 7 tested images are copies of images of" in err
    assert "seen.jpg = picture-0003.png" in err
    assert json.loads(out)["leaks"]["train"] == {
        "exact": 0, "near": 1, "changed": 0, "unverified": 0, "unaligned": 0, "threshold": 0.85,
    }  # fmt: skip
