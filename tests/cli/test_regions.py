"""``index --regions`` and what a search says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from pictures import picture
from running import Run


def test_a_thing_finds_the_picture_that_it_is_in(run: Run, tmp_path: Path) -> None:
    folder, thing = tmp_path / "pictures", tmp_path / "thing.png"
    folder.mkdir()
    for number in range(3):
        tiles = [picture(4 * number + n, side=96) for n in range(4)]
        mosaic = np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])
        Pillow.fromarray(mosaic).save(folder / f"{number}.png")
    Pillow.fromarray(picture(5, side=96)).save(thing)
    at = ("--collection", tmp_path / "c")
    assert run("index", folder, *at, "--regions", "grid:2x2", "--quiet").code == 0
    (hit,) = run("search", thing, *at, "-k", "1", "--json").json["hits"]
    assert hit["id"] == "1.png"
    assert hit["region"] == {"x0": 96, "y0": 0, "x1": 192, "y1": 96, "score": 1.0, "label": ""}
    assert run("search", thing, *at, "-k", "1").out.split("\t")[-1] == "96,0,192,96\n"
    assert run("search", thing, *at, "-k", "1", "--paths").out == f"{folder / '1.png'}\n"
    assert run("search", folder / "1.png", *at, "-k", "1", "--box", "0.5,0,1,0.5").out.endswith("\t96,0,192,96\n")
    assert run("search", thing, *at, "--picture", tmp_path / "p.png").code == 0
    with Pillow.open(tmp_path / "p.png") as drawn:
        assert (np.asarray(drawn.convert("RGB")) == (232, 0, 138)).all(axis=2).any()  # the colour of a box
    again = run("index", folder, *at, "--regions", "grid:2x2", "--quiet")
    assert "3 unchanged" in again.err
    other = run("index", folder, *at, "--regions", "saliency")
    assert (other.code, "was made with" in other.err) == (2, True)
    both = run("index", folder, *at, "--regions", "saliency", "--subject", "content")
    assert (both.code, "give one" in both.err) == (2, True)
    guess = run("index", folder, "--collection", tmp_path / "d", "--regions", "grid:2x2", "--estimate")
    assert (guess.code, "3 images" in guess.out) == (0, True)


def test_verified_results(run: Run, tmp_path: Path) -> None:
    folder, thing = tmp_path / "pictures", picture(5, side=64)
    folder.mkdir()
    for seed in range(4):
        Pillow.fromarray(picture(seed + 20, side=120)).save(folder / f"{seed}.png")
    ground = np.kron(picture(61, side=24), np.ones((10, 10, 1), np.uint8))
    ground[90:154, 30:94] = thing
    Pillow.fromarray(ground).save(folder / "holds.png")
    Pillow.fromarray(thing).save(tmp_path / "thing.png")
    at = ("--collection", tmp_path / "c")
    run("index", folder, *at, "--quiet")
    (hit,) = run("search", tmp_path / "thing.png", *at, "--verify", "template", "-k", "1", "--json").json["hits"]
    assert (hit["id"], hit["verified"]) == ("holds.png", 1.0)
    assert (hit["region"]["x0"], hit["region"]["y0"], hit["region"]["x1"], hit["region"]["y1"]) == (30, 90, 94, 154)
    plain = run("search", tmp_path / "thing.png", *at, "--verify", "template", "-k", "1").out.split("\t")
    assert plain[1:] == ["1.0000", str(folder / "holds.png"), "30,90,94,154\n"]
    wrong = run("search", tmp_path / "thing.png", *at, "--verify", "tenplate")
    assert (wrong.code, "Did you mean 'template'" in wrong.err) == (2, True)
    words = run("search", "text:holds", *at, "--verify", "template")
    assert (words.code, "only a query of one picture" in words.err) == (2, True)
