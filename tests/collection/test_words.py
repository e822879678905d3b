"""Searching by words in a collection whose embedder has a text tower; the vectors are numpy's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from hub_models import SIDE, Clip, unit
from lookalike.collection import Collection
from lookalike.collection.queries import parse
from lookalike.types import Image

COUNT = 6


def picture(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    Clip().save(tmp_path / "clip")
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(COUNT):
        Pillow.fromarray(picture(seed)).save(folder / f"{seed}.png")
    with lookalike.open(tmp_path / "c", embedder=f"onnx:{tmp_path / 'clip'}") as made:
        made.add(folder)
        yield made


def ranked(query: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[tuple[str, float]]:
    scores = [(float(unit(Clip().image(picture(seed))) @ query), f"{seed}.png") for seed in range(COUNT)]
    return [(name, score) for score, name in sorted(scores, key=lambda found: -found[0])]


def test_words_find_what_their_vector_is_near(photos: Collection) -> None:
    hits = photos.search("text:red cat", k=COUNT)
    expected = ranked(Clip().text("red cat"))
    assert [hit.id for hit in hits] == [name for name, _ in expected]
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-5)


def test_arithmetic_of_images_and_words(photos: Collection) -> None:
    hits = photos.search(parse(["id:2.png", "+", "0.5:text:dog", "-", "text:a mat"]), k=COUNT)
    model = Clip()
    query = model.image(picture(2)) + 0.5 * model.text("dog") - model.text("a mat")
    expected = ranked(unit(query))
    assert [hit.id for hit in hits] == [name for name, _ in expected]
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-5)


def test_words_to_an_embedder_of_images_only(tmp_path: Path, photos: Collection) -> None:
    with lookalike.open(tmp_path / "plain", embedder="builtin-1") as plain:
        plain.add(tmp_path / "photos")
        results = plain.search("text:red cat")  # looked up in names and metadata instead, where they are not
        assert len(results) == 0
        assert re.search(r"'builtin-1' compares pictures and does not .*clip-vit-base-patch32", results.note)


def test_auto_is_content_with_what_the_collection_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path / "empty"))
    with lookalike.open(tmp_path / "new", embedder="auto") as made:
        assert made.space.name == "builtin-2"
    with lookalike.open(tmp_path / "old", embedder="color-layout") as made:
        assert made.space.name == "color-layout"
    with lookalike.open(tmp_path / "old", embedder="auto") as again:
        assert again.space.name == "color-layout"
