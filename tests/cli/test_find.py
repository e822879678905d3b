"""``lookalike find``: a piece of one picture, looked for in a collection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from pictures import picture, write_pictures
from running import Run

PIECE = (20, 30, 60, 66)  # x0, y0, x1, y1


@pytest.fixture
def photos(tmp_path: Path, run: Run) -> Path:
    """Six pictures in a collection, and a piece of the fourth beside them."""
    write_pictures(tmp_path / "photos", 6)
    x0, y0, x1, y1 = PIECE
    Pillow.fromarray(picture(3)[y0:y1, x0:x1]).save(tmp_path / "piece.png")
    assert run("index", "photos").code == 0
    return tmp_path


def test_the_picture_and_the_place_are_found(run: Run, photos: Path) -> None:
    done = run("find", "piece.png", "--scales", "1", "-k", "3", "--json", "--picture", "out.png")
    assert done.code == 0
    best = done.json["hits"][0]
    assert best["id"] == "picture-0003.png"
    assert best["region"] == dict(zip(("x0", "y0", "x1", "y1"), PIECE, strict=True))
    assert best["score"] == pytest.approx(1, abs=1e-5)
    assert [hit["rank"] for hit in done.json["hits"]] == [1, 2, 3]
    assert done.json["hits"][1]["score"] < 0.95
    assert done.json["searched"] == 6
    drawn = np.asarray(Pillow.open(photos / "out.png"), dtype=int)
    assert (np.abs(drawn - (232, 0, 138)).max(axis=2) < 3).any()


def test_the_table_has_score_box_and_path(run: Run, photos: Path) -> None:
    done = run("find", "piece.png", "--scales", "1,1", "-k", "1")
    assert done.out == f"1.0000\t20,30,60,66\t{photos / 'photos' / 'picture-0003.png'}\n"
    assert "Looked through 6 images" in done.err


def test_a_picture_that_is_gone_is_named_and_the_rest_searched(run: Run, photos: Path) -> None:
    (photos / "photos" / "picture-0001.png").unlink()
    (photos / "photos" / "picture-0002.png").write_bytes(b"no picture")
    done = run("find", "piece.png", "--json", "--workers", "1")
    assert done.code == 1
    assert done.json["hits"][0]["id"] == "picture-0003.png"
    assert done.json["skipped_count"] == 2
    assert [Path(each["source"]).name for each in done.json["skipped"]] == ["picture-0001.png", "picture-0002.png"]
    table = run("find", "piece.png")
    assert "picture-0002.png" in table.err


def test_the_callers_mistakes(run: Run, photos: Path) -> None:
    assert "Did you mean 'sqdiff'" in run("find", "piece.png", "--method", "sqdif").err
    assert "such as 0.5,2" in run("find", "piece.png", "--scales", "a,b").err
    assert "the smaller first" in run("find", "piece.png", "--scales", "2,1").err
    missing = run("find", "nothing.png", "--json")
    assert missing.code == 2
    assert "nothing.png" in missing.json["error"]["message"]
    Pillow.new("RGB", (30, 30), "red").save(photos / "flat.png")
    assert "of one brightness" in run("find", "flat.png").err


def test_a_template_that_fits_nowhere_says_so(run: Run, photos: Path) -> None:
    done = run("find", "piece.png", "--scales", "50")
    assert done.code == 0
    assert done.out == ""
    assert "fits into none" in done.err
