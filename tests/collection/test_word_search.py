"""Words in a collection whose embedder compares pictures only: looked up in names and metadata, and fused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lookalike
from lookalike.collection import Collection, Results
from lookalike.collection.queries import parse
from lookalike.collection.transfer import import_vectors
from lookalike.errors import BadQuery
from lookalike.types import Query, QueryItem
from pictures import picture

COUNT = 24


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    """Every second is red, every third at night; the 5th and 6th of one object."""
    with lookalike.open(tmp_path / "c", embedder="builtin-1") as made:
        made.add_images(
            [picture(seed) for seed in range(COUNT)],
            ids=[f"shoes/{'red' if seed % 2 == 0 else 'blue'}_shoe-{seed}.jpg" for seed in range(COUNT)],
            metadata=[
                {"caption": "at night" if seed % 3 == 0 else "by day", "object": f"o{max(seed, 5)}"}
                for seed in range(COUNT)
            ],
        )
        yield made


def seeds(results: Results) -> list[int]:
    return [int(hit.id.split("-")[1].split(".")[0]) for hit in results]


def test_words_are_looked_up_in_names_and_metadata(photos: Collection) -> None:
    results = photos.search("text:red night", k=100)
    both = [seed for seed in range(COUNT) if seed % 6 == 0]
    assert set(seeds(results)) == {seed for seed in range(COUNT) if seed % 2 == 0 or seed % 3 == 0}
    assert set(seeds(results)[: len(both)]) == set(both)
    assert {hit.found_by for hit in results} == {"text"}
    scores = [hit.score for hit in results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    assert results.note.startswith("Found by words")
    assert {hit["found_by"] for hit in results.to_json()["hits"]} == {"text"}


def test_words_that_are_taken_away(photos: Collection) -> None:
    found = seeds(photos.search(parse(["text:red", "-", "text:night"]), k=100))
    assert sorted(found) == [seed for seed in range(COUNT) if seed % 2 == 0 and seed % 3]
    # From a picture's ranking they are left out; its scores stay cosines.
    plain = photos.search("id:shoes/red_shoe-2.jpg", k=100)
    without = photos.search(parse(["id:shoes/red_shoe-2.jpg", "-", "text:night"]), k=5)
    assert [(hit.id, hit.score) for hit in without] == [
        (hit.id, hit.score) for hit in plain if hit.metadata["caption"] != "at night"
    ][:5]
    assert {hit.found_by for hit in without} == {"vector"}


def test_a_picture_and_words_are_fused_by_reciprocal_ranks(photos: Collection) -> None:
    by_picture = [hit.id for hit in photos.search("id:shoes/blue_shoe-3.jpg", k=100)]
    by_words = [hit.id for hit in photos.search("text:red", k=100)]
    fused = photos.search(parse(["id:shoes/blue_shoe-3.jpg", "+", "2:red"]), k=100)
    expected = {
        id: sum(
            weight / (60 + ranked.index(id) + 1) for weight, ranked in ((1, by_picture), (2, by_words)) if id in ranked
        )
        for id in by_picture
    }
    assert {hit.id: hit.score for hit in fused} == pytest.approx(expected)
    assert [hit.id for hit in fused][:3] == sorted(expected, key=lambda id: -expected[id])[:3]
    assert {hit.id for hit in fused if hit.found_by == "both"} == set(by_words)
    assert {hit.found_by for hit in fused} == {"both", "vector"}
    assert "the two rankings fused" in fused.note


def test_words_go_with_groups_and_not_same(photos: Collection) -> None:
    grouped = photos.search("text:red", k=100, group_by="object")
    assert sorted(seeds(grouped)) == [0, *range(6, COUNT, 2)]  # 0, 2 and 4 are of the object o5, as 1, 3 and 5 are
    other = photos.search(parse(["id:shoes/red_shoe-8.jpg", "+", "text:red"]), k=100, not_same=True)
    assert 8 not in seeds(other)
    assert len(other) > 10


def test_what_words_cannot_do_is_said(photos: Collection) -> None:
    with pytest.raises(BadQuery, match="cannot be taken away from words"):
        photos.search(parse(["text:red", "-", "id:shoes/red_shoe-8.jpg"]))
    with pytest.raises(BadQuery, match="not taken away"):
        photos.search(Query((QueryItem("text", "red", -1.0),)))
    nothing = photos.search("text:zebra")
    assert (len(nothing), "No id, file name or metadata" in nothing.note) == (0, True)


def test_vectors_without_their_model_are_found_by_words_too(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(4, dtype=np.float32))
    (tmp_path / "m.csv").write_text("file,color\n" + "".join(f"/data/{n}.jpg,c{n}\n" for n in range(4)))
    made, _ = import_vectors(tmp_path / "c", tmp_path / "v.npy", metadata=tmp_path / "m.csv")
    assert [hit.id for hit in made.search("text:c2")] == ["/data/2.jpg"]
    made.close()
