"""Searching by words where the embedder has learned few: by their vectors, and by names and metadata."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lookalike
from lookalike.collection import Collection
from lookalike.collection.queries import parse
from lookalike.embed import create
from lookalike.errors import BadQuery
from lookalike.protocols import TextEmbedder
from lookalike.types import Image
from pictures import picture

COUNT = 24
UNKNOWN = "zyzzyva"  # a weevil
BUILTIN = create("builtin-2")
assert isinstance(BUILTIN, TextEmbedder)
TEXTS: TextEmbedder = BUILTIN


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    with lookalike.open(tmp_path / "c", embedder="builtin-2") as made:
        made.add_images(
            [picture(seed) for seed in range(COUNT)],
            ids=[f"{seed:03d}.png" for seed in range(COUNT)],
            metadata=[
                {"caption": f"a {UNKNOWN}" if seed in (3, 5) else "apple" if seed == 7 else ""} for seed in range(COUNT)
            ],
        )
        yield made


def images() -> list[Image]:
    return [picture(seed) for seed in range(COUNT)]


def by_cosine(query: np.ndarray) -> tuple[list[str], list[float]]:
    scores = BUILTIN.embed(images()) @ (query / np.linalg.norm(query))
    order = np.argsort(-scores, kind="stable")
    return [f"{at:03d}.png" for at in order], scores[order].tolist()


def test_known_words_find_what_their_vector_is_near(photos: Collection) -> None:
    results = photos.search("text:red circle", k=COUNT)
    names, scores = by_cosine(TEXTS.embed_text(["red circle"])[0])
    assert [hit.id for hit in results] == names
    assert [hit.score for hit in results] == pytest.approx(scores, abs=1e-5)
    assert {hit.found_by for hit in results} == {"vector"}
    assert results.note == ""  # what images score with one another says nothing of it


def test_unknown_words_are_looked_up_alone(photos: Collection) -> None:
    results = photos.search(f"text:{UNKNOWN}", k=COUNT)
    assert {hit.id for hit in results} == {"003.png", "005.png"}
    assert "'builtin-2' knows few words, and none of these" in results.note
    nothing = photos.search("text:qwertyuiop", k=COUNT)
    assert len(nothing) == 0
    assert "clip-vit-base-patch32" in nothing.note


def test_known_words_and_names_are_fused_by_reciprocal_ranks(photos: Collection) -> None:
    results = photos.search("text:apple", k=COUNT)
    names, _ = by_cosine(TEXTS.embed_text(["apple"])[0])
    expected = {name: 1 / (61 + rank) + (1 / 61 if name == "007.png" else 0) for rank, name in enumerate(names)}
    assert {hit.id: hit.score for hit in results} == pytest.approx(expected)
    assert results[0].id == "007.png"
    assert results[0].found_by == "both"
    assert "has learned of the words" in results.note


def test_arithmetic_of_pictures_and_known_words(photos: Collection) -> None:
    results = photos.search(parse(["id:002.png", "+", "0.5:text:red", "-", "text:square"]), k=COUNT)
    red, square = TEXTS.embed_text(["red", "square"])
    names, scores = by_cosine(BUILTIN.embed([picture(2)])[0] + 0.5 * red - square)
    assert [hit.id for hit in results] == names
    assert [hit.score for hit in results] == pytest.approx(scores, abs=1e-5)


def test_a_picture_and_unknown_words_are_two_rankings(photos: Collection) -> None:
    results = photos.search(parse(["id:002.png", "+", f"text:{UNKNOWN}"]), k=COUNT)
    names, _ = by_cosine(BUILTIN.embed([picture(2)])[0])
    looked_up = [hit.id for hit in photos.search(f"text:{UNKNOWN}", k=COUNT)]
    expected = {name: 1 / (61 + rank) for rank, name in enumerate(names)}
    for rank, name in enumerate(looked_up):
        expected[name] += 1 / (61 + rank)
    assert {hit.id: hit.score for hit in results} == pytest.approx(expected)


def test_words_that_are_taken_away(photos: Collection) -> None:
    results = photos.search(parse(["id:003.png", "-", f"text:{UNKNOWN}"]), k=COUNT)
    assert {"003.png", "005.png"}.isdisjoint(hit.id for hit in results)
    assert len(results) == COUNT - 2
    only_names = photos.search(parse([f"text:{UNKNOWN}", "-", "text:red"]), k=COUNT)
    assert {hit.id for hit in only_names} == {"003.png", "005.png"}


def test_known_words_keep_to_the_conditions(photos: Collection) -> None:
    found = photos.search("text:red circle", k=COUNT, where=f"caption=a {UNKNOWN}")
    assert {hit.id for hit in found} == {"003.png", "005.png"}


def test_unknown_words_where_spaces_are_searched_together(photos: Collection) -> None:
    assert len(photos.search("text:red circle", k=3, spaces={"builtin-2": 1.0})) == 3
    with pytest.raises(BadQuery, match="knows few words, and none of these"):
        photos.search(f"text:{UNKNOWN}", spaces={"builtin-2": 1.0})


@pytest.mark.parametrize(
    "around", ["subject:content:builtin-2", "tta:mirror:builtin-2", "ensemble:builtin-2+builtin-2:2"]
)
def test_an_embedder_around_it_knows_the_same_words(tmp_path: Path, around: str) -> None:
    with lookalike.open(tmp_path / "around", embedder=around) as made:
        made.add_images([picture(seed) for seed in range(3)], ids=["a", "b", "c"])
        assert len(made.search("text:red circle")) == 3
        assert "knows few words, and none of these" in made.search(f"text:{UNKNOWN}").note
