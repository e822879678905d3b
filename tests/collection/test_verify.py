"""Verification: what holds the query's picture comes first, with its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.collection import parse
from lookalike.collection.verify import query_picture, verified
from lookalike.errors import BadQuery
from lookalike.local import create_matcher
from lookalike.types import Image
from pictures import picture

THING = picture(5, side=64)


def holding(x: int, y: int, seed: int) -> Image:
    """Return a picture of another kind with the thing in it."""
    ground = np.kron(picture(seed, side=24), np.ones((10, 10, 1), np.uint8))
    ground[y : y + 64, x : x + 64] = THING
    return ground


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "pictures"
    target.mkdir()
    for seed in range(8):
        Pillow.fromarray(picture(seed + 20, side=120)).save(target / f"other-{seed}.png")
    Pillow.fromarray(holding(30, 90, 61)).save(target / "holds.png")
    Pillow.fromarray(THING).save(tmp_path / "thing.png")
    return target


def test_what_holds_the_query_comes_first(folder: Path, tmp_path: Path) -> None:
    with lookalike.open(tmp_path / "c") as photos:
        photos.add(folder)
        (folder / "other-3.png").unlink()
        found = photos.search(THING, k=20)
        checked = verified(found, THING, create_matcher("template"), k=20)
        assert {hit.id for hit in checked} == {hit.id for hit in found}
        assert [hit.rank for hit in checked] == list(range(1, 10))
        first, last = checked[0], checked[-1]
        assert (first.id, last.id, last.verified) == ("holds.png", "other-3.png", None)
        assert first.verified == pytest.approx(1, abs=1e-6)
        assert first.region is not None
        assert (first.region.x0, first.region.y0, first.region.x1, first.region.y1) == (30, 90, 94, 154)
        scores = [hit.verified for hit in checked[:-1] if hit.verified is not None]
        assert scores == sorted(scores, reverse=True)
        assert {hit.id: hit.score for hit in checked} == {hit.id: hit.score for hit in found}
        assert "1 of 9 results could not be looked at" in checked.note
        assert [hit.id for hit in verified(found, THING, create_matcher("template"), k=1)] == ["holds.png"]


def test_the_picture_of_a_query(folder: Path, tmp_path: Path) -> None:
    with lookalike.open(tmp_path / "c") as photos:
        photos.add(folder)
        for word in (f"{tmp_path}/thing.png", f"{folder}/holds.png", "id:holds.png"):
            shown = THING if "thing" in word else holding(30, 90, 61)
            np.testing.assert_array_equal(query_picture(parse([word]), photos.store), shown)
        for words in (["text:red"], [f"{tmp_path}/thing.png", "+", "id:holds.png"]):
            with pytest.raises(BadQuery, match="only a query of one picture"):
                query_picture(parse(words), photos.store)
        with pytest.raises(BadQuery, match="no image has the id 'none'"):
            query_picture(parse(["id:none"]), photos.store)
