"""Words in a collection of the built-in model, which has learned a few: what it knows, names, and both together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.collection import Collection

COLOURS = {"a": (220, 30, 40), "b": (40, 90, 210), "c": (60, 160, 60)}


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    folder = tmp_path / "photos"
    folder.mkdir()
    y, x = np.mgrid[:120, :120] - 60
    for name, ink in COLOURS.items():
        pixels = np.full((120, 120, 3), 255, np.uint8)
        pixels[x**2 + y**2 < 1600] = ink
        Pillow.fromarray(pixels).save(folder / f"{name}.png")
    Pillow.fromarray(np.full((120, 120, 3), 90, np.uint8)).save(folder / "invoice-2021.png")
    with lookalike.open(tmp_path / "c", embedder="builtin-2") as made:
        made.add(folder)
        yield made


def test_words_that_it_has_learned(photos: Collection) -> None:
    found = photos.search("text:blue circle")
    assert found[0].id == "b.png"
    assert found[0].found_by == "vector"
    assert photos.search("text:red circle")[0].id == "a.png"


def test_words_that_only_a_name_has(photos: Collection) -> None:
    found = photos.search("text:qwzx 2021")
    assert [hit.id for hit in found] == ["invoice-2021.png"]
    assert found[0].found_by == "text"
    assert "has learned few words, and none of these" in found.note


def test_both_are_fused(photos: Collection) -> None:
    found = photos.search("text:red invoice")
    by = {hit.id: hit.found_by for hit in found}
    assert by["invoice-2021.png"] == "both"
    assert by["a.png"] == "vector"
    assert {hit.id for hit in found[:2]} == {"invoice-2021.png", "a.png"}
    assert "fused" in found.note


def test_nothing_has_the_words(photos: Collection) -> None:
    found = photos.search("text:qwzx")
    assert len(found) == 0
    assert "--embedder clip-vit-base-patch32" in found.note


def test_words_and_a_picture(photos: Collection) -> None:
    """A picture moves towards a word that is known: one vector, as with models of image and text."""
    assert photos.search(["id:a.png", "+", "text:blue", "-", "text:red"])[0].id in ("a.png", "b.png")
