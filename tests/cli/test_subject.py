"""``--box`` and ``--subject``: searching by a part of a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lookalike.types import Image
from pictures import picture, write_pictures
from running import Done, Run


def on_white(thing: Image, x: int, y: int) -> Image:
    ground = np.full((300, 400, 3), 255, np.uint8)
    ground[y : y + thing.shape[0], x : x + thing.shape[1]] = thing
    return ground


@pytest.fixture
def photos(tmp_path: Path, run: Run) -> Path:
    """Twelve pictures in a collection; two.png shows the second beside the ninth."""
    write_pictures(tmp_path / "photos", 12)
    both = np.hstack([picture(2), picture(9)])
    Pillow.fromarray(both).save(tmp_path / "two.png")
    Pillow.fromarray(on_white(picture(4), 20, 30)).save(tmp_path / "product.png")
    assert run("index", "photos").code == 0
    return tmp_path


def best(done: Done) -> tuple[str, float]:
    assert done.code == 0, done.err
    hit = done.json["hits"][0]
    return hit["id"], hit["score"]


@pytest.mark.parametrize(
    ("box", "expected"),
    [("0,0,96,96", 2), ("96,0,192,96", 9), ("0.5,0,1,1", 9), ("0,0,0.5,1", 2)],
)
def test_a_box_says_which_part(run: Run, photos: Path, box: str, expected: int) -> None:
    id, score = best(run("search", "two.png", "--box", box, "--json"))
    assert id == f"picture-{expected:04d}.png"
    assert score == pytest.approx(1, abs=1e-5)


def test_a_detector_cuts_the_query(run: Run, photos: Path) -> None:
    id, score = best(run("search", "product.png", "--subject", "content", "--json"))
    assert id == "picture-0004.png"
    assert score > best(run("search", "product.png", "--json"))[1]


def test_where_nothing_stands_out_all_is_searched_for(run: Run, photos: Path) -> None:
    Pillow.new("RGB", (50, 50), "red").save(photos / "red.png")
    cut = run("search", "red.png", "--subject", "saliency", "--json")
    assert "No subject stands out in" in cut.err
    assert cut.json["hits"] == run("search", "red.png", "--json").json["hits"]


def test_the_callers_mistakes(run: Run, photos: Path) -> None:
    def message(*words: str) -> str:
        done = run("search", *words)
        assert done.code == 2
        return done.err

    assert "lies outside the picture, which is 192 x 96 pixels" in message("two.png", "--box", "500,0,600,9")
    assert "is empty: x0 must be below x1" in message("two.png", "--box", "9,0,9,9")
    assert "four numbers" in message("two.png", "--box", "1,2")
    assert "Did you mean 'saliency'" in message("two.png", "--subject", "salience")
    assert "Give --box, or --subject" in message("two.png", "--box", "0,0,1,1", "--subject", "content")
    assert "it has 0" in message("id:picture-0001.png", "--box", "0,0,1,1")
    assert "it has 2" in message("two.png", "product.png", "--box", "0,0,1,1")


def test_a_collection_of_subjects_cuts_queries_itself(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "products"
    folder.mkdir()
    for seed in range(6):
        Pillow.fromarray(on_white(picture(seed), 10 + 30 * seed, 12 * seed)).save(folder / f"{seed}.png")
    content = ("--subject", "content", "--embedder", "builtin-1")
    assert run("index", "products", *content).code == 0
    assert run("index", "products", *content).code == 0, "the same setting again is no other embedder"
    (space,) = run("info", "--json").json["spaces"].values()
    assert space["embedder"] == "subject:content:builtin-1"
    Pillow.fromarray(on_white(picture(3), 290, 190)).save(tmp_path / "moved.png")
    id, score = best(run("search", "moved.png", "--json"))
    assert id == "3.png"
    assert score > 0.99
    # A person's box takes the detector's place, in the same space.
    pair = np.hstack([on_white(picture(1), 30, 30), on_white(picture(5), 30, 30)])
    Pillow.fromarray(pair).save(tmp_path / "pair.png")
    assert best(run("search", "pair.png", "--box", "430,30,526,126", "--json"))[0] == "5.png"
    assert best(run("search", "pair.png", "--box", "30,30,126,126", "--json"))[0] == "1.png"
    other = run("index", "products", "--subject", "saliency")
    assert other.code == 2
    assert "was made with 'builtin-1+content'" in other.err
