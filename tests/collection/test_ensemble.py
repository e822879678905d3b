"""Several vector spaces searched together, against loops over everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lookalike
from lookalike.collection import Collection
from lookalike.collection.ensemble import Fusion, Member, fuse_spaces, parse_spaces
from lookalike.collection.sameness import near_score
from lookalike.errors import BadInput, BadQuery, UnknownName
from lookalike.types import Rows
from pictures import write_pictures

COUNT = 15
SPACES = {"builtin-2": 1.0, "color-layout": 3.0, "dhash": 0.5}


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    """Pictures in three spaces, one of them of bits; one image is not in all of them."""
    write_pictures(tmp_path / "photos", COUNT)
    for name in ("builtin", "color-layout", "dhash"):
        with lookalike.open(tmp_path / "c", embedder=name, add_space=True) as made:
            made.add(tmp_path / "photos")
    with lookalike.open(tmp_path / "c") as made:
        write_pictures(tmp_path / "more", 1, start=80)
        made.add(tmp_path / "more")
        assert set(made.store.spaces()) == set(SPACES)
        yield made


def rankings(tmp_path: Path, query: str) -> dict[str, dict[str, float]]:
    found = {}
    for name in SPACES:
        with lookalike.open(tmp_path / "c", embedder=name.replace("builtin-2", "builtin")) as photos:
            found[name] = {hit.id: hit.score for hit in photos.search(query, k=100)}
    return found


@pytest.mark.parametrize("fusion", ["sum", "rrf"])
def test_scores_are_those_of_a_loop(photos: Collection, tmp_path: Path, fusion: Fusion) -> None:
    query = str(tmp_path / "photos" / "picture-0003.png")
    ranked = rankings(tmp_path, query)
    expected = {}
    for record in photos:
        total = 0.0
        for name, weight in SPACES.items():
            scores = ranked[name]
            if fusion == "sum":
                total += weight * scores.get(record.id, min(scores.values())) / sum(SPACES.values())
            elif record.id in scores:
                total += weight / (60 + 1 + list(scores).index(record.id))
        expected[record.id] = total
    results = photos.search(query, k=100, spaces=SPACES, fusion=fusion)
    assert {hit.id: hit.score for hit in results} == pytest.approx(expected, abs=1e-6)
    assert [hit.score for hit in results] == sorted((hit.score for hit in results), reverse=True)
    assert results[0].id == "picture-0003.png"
    assert {hit.found_by for hit in results} == {"vector"}
    assert [hit.id for hit in photos.search(query, k=4, spaces=SPACES, fusion=fusion)] == [
        hit.id for hit in results[:4]
    ]


def test_one_space_alone_is_the_plain_search(photos: Collection) -> None:
    plain = photos.search("id:picture-0003.png", k=8)
    alone = photos.search("id:picture-0003.png", k=8, spaces={"builtin-2": 2.0})
    assert [(hit.id, hit.score) for hit in alone] == [(hit.id, hit.score) for hit in plain]


def test_not_the_same_goes_by_the_collections_own_space(photos: Collection) -> None:
    least = near_score(photos.space, photos.store)
    near = {hit.id for hit in photos.search("id:picture-0003.png", k=100) if hit.score >= least}
    left = photos.search("id:picture-0003.png", k=100, spaces=SPACES, not_same=True)
    assert {hit.id for hit in left} == {record.id for record in photos} - near


def test_equal_scores_are_ordered_by_row() -> None:
    rows = np.array([5, 3, 9], np.int64)

    def first(depth: int) -> tuple[Rows, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        return rows[:depth], np.ones(len(rows[:depth]))

    ranking = fuse_spaces([Member(1.0, first, lambda wanted: (wanted, np.ones(len(wanted))))])
    assert ranking.first(2)[0].tolist() == [3, 5]


def test_names_and_weights() -> None:
    assert parse_spaces("builtin-2, dhash:2.5,hf:org/name,hf:a/b:0.5") == {
        "builtin-2": 1.0,
        "dhash": 2.5,
        "hf:org/name": 1.0,
        "hf:a/b": 0.5,
    }
    for wrong in ("", "a,", "a:0", "a:-1", "a:inf", "a:nan", "a,a", ":2"):
        with pytest.raises(BadInput, match="does not name vector spaces"):
            parse_spaces(wrong)


def test_what_cannot_be_fused_is_said(photos: Collection) -> None:
    with pytest.raises(UnknownName, match="no vector space 'clip'"):
        photos.search("id:picture-0003.png", spaces={"clip": 1.0})
    with pytest.raises(BadInput, match="at least one"):
        photos.search("id:picture-0003.png", spaces={})
    with pytest.raises(BadInput, match="relevance"):
        photos.search("id:picture-0003.png", spaces=SPACES, min_relevance=0.5)
    with pytest.raises(BadQuery, match="does not understand words"):
        photos.search("text:red", spaces=SPACES)
