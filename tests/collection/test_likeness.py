"""Metadata as a part of the score: likenesses worked out by hand, and rankings against a loop over every image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lookalike
from lookalike.collection import Collection
from lookalike.collection.likeness import Likenesses, Liking, parse_like, parse_likings, with_likeness
from lookalike.errors import BadInput, BadQuery
from lookalike.types import Rows
from pictures import picture

FACTS: list[dict[str, Any]] = [
    {"tags": ["red", "blue"], "price": 10, "brand": "acme", "size": 1},
    {"tags": "red, green", "price": 20, "brand": "Acme", "size": 10},
    {"tags": ["green"], "price": "30", "brand": "acme", "size": 1000},
    {"price": 40, "size": "10"},
    {"tags": [], "price": 1000000, "brand": "acme"},
]


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    with lookalike.open(tmp_path / "c", embedder="color-layout") as made:
        made.add_images([picture(n) for n in range(5)], ids=list("abcde"), metadata=FACTS)
        yield made


def likeness(photos: Collection, liking: Liking, value: Any) -> dict[str, float]:
    rows, amounts, weights = Likenesses(photos.store).of([liking], {liking.column: value})
    assert weights == liking.weight
    named = {record.row: record.id for record in photos}
    return {named[row]: amount / liking.weight for row, amount in zip(rows.tolist(), amounts.tolist(), strict=True)}


def test_tags_by_hand(photos: Collection) -> None:
    # {red, blue} and {red, blue}: 2/2; {red, green}: 1 of 3; {green}: 0 of 3.
    assert likeness(photos, Liking("tags", 0.5), ["red", "blue"]) == pytest.approx({"a": 1, "b": 1 / 3})
    assert likeness(photos, Liking("tags", 2), "green|new") == pytest.approx({"b": 1 / 3, "c": 1 / 2})


def test_numbers_by_hand(photos: Collection) -> None:
    # The quartiles of 10, 20, 30, 40, 1000000 are 20 and 40: a distance of 20 is worth exp(-1).
    found = likeness(photos, Liking("price", 1, "number"), 20)
    assert found["b"] == 1
    assert found["d"] == pytest.approx(math.exp(-1))
    assert found["a"] == found["c"] == pytest.approx(math.exp(-0.5))
    assert found.get("e", 0) == pytest.approx(0)


def test_a_ratio_counts_for_prices_and_sizes(photos: Collection) -> None:
    # ln of 1, 10, 1000, 10 has its quartiles at ln 10 * 0.75 and ln 10 * 1.5: their distance is 0.75 ln 10.
    found = likeness(photos, Liking("size", 1), 10)  # all above 0 and 1000 times apart: by ratio without being told
    assert found["b"] == found["d"] == 1
    assert found["a"] == pytest.approx(math.exp(-1 / 0.75))
    assert found["c"] == pytest.approx(math.exp(-2 / 0.75))
    assert likeness(photos, Liking("size", 1), -3) == {}


def test_the_same_value(photos: Collection) -> None:
    assert likeness(photos, Liking("brand", 1), "acme") == {"a": 1, "c": 1, "e": 1}


def test_the_score_is_that_of_a_loop(photos: Collection) -> None:
    plain = {hit.id: hit.score for hit in photos.search("id:a")}
    tags = likeness(photos, Liking("tags", 1), ["red", "blue"])
    brand = likeness(photos, Liking("brand", 1), "acme")
    expected = {id: (plain[id] + 0.5 * tags.get(id, 0) + 2 * brand.get(id, 0)) / 3.5 for id in plain}
    found = photos.search("id:a", metadata="tags:0.5,brand:2")
    assert {hit.id: hit.score for hit in found} == pytest.approx(expected, abs=1e-6)
    assert [hit.id for hit in found] == sorted(expected, key=lambda id: -expected[id])
    assert found[0].id == "a"
    some = photos.search("id:a", metadata="tags:0.5,brand:2", where="brand missing")
    assert {hit.id: hit.score for hit in some} == pytest.approx({"d": expected["d"]}, abs=1e-6)


def test_values_given_and_values_that_are_missing(photos: Collection) -> None:
    given = photos.search(picture(3), metadata="brand:1", like={"brand": "Acme"})
    plain = {hit.id: hit.score for hit in photos.search(picture(3))}
    assert {hit.id: hit.score for hit in given}["b"] == pytest.approx((plain["b"] + 1) / 2, abs=1e-6)
    # The query d has no brand: the column does not count, and neither does its weight.
    sized = photos.search("id:d", metadata="brand:5,size:log:1")
    assert sized[0].score == pytest.approx(1, abs=1e-6)
    with pytest.raises(BadQuery, match="no value for brand"):
        photos.search("id:d", metadata="brand:5")
    with pytest.raises(BadInput, match="Did you mean 'brand'"):
        photos.search("id:d", metadata="brandd:5")
    with pytest.raises(BadInput, match="no column has a weight"):
        photos.search("id:d", like={"brand": "x"})
    with pytest.raises(BadQuery, match="words are looked up"):
        photos.search("text:acme", metadata="brand:1", like={"brand": "acme"})


def test_spaces_and_groups_together(photos: Collection) -> None:
    plain = {hit.id: hit.score for hit in photos.search("id:a", spaces={"color-layout": 1.0})}
    found = {hit.id: hit.score for hit in photos.search("id:a", spaces={"color-layout": 1.0}, metadata="brand:1")}
    assert found == pytest.approx({id: (score + (id in "ace")) / 2 for id, score in plain.items()}, abs=1e-6)
    with pytest.raises(BadInput, match="no scale"):
        photos.search("id:a", spaces={"color-layout": 1.0}, fusion="rrf", metadata="brand:1")
    merged = photos.search("id:b", group_by="brand", merge="mean", metadata="size:same:1")
    alone = {hit.metadata.get("brand"): hit.score for hit in photos.search("id:b", group_by="brand", merge="mean")}
    sized = {"acme": 0, "Acme": 1, None: 1}  # the most like image of the group
    assert {hit.metadata.get("brand"): hit.score for hit in merged} == pytest.approx(
        {brand: (score + sized[brand]) / 2 for brand, score in alone.items()}, abs=1e-5
    )


def test_columns_and_weights() -> None:
    assert parse_likings("tags:0.2, price:log:0.1,a:b:1") == (
        Liking("tags", 0.2),
        Liking("price", 0.1, "log"),
        Liking("a:b", 1.0),
    )
    for wrong in ("", "tags", "tags:", "tags:0", "tags:-1", ":1", "a:1,a:2", "a:inf", "a:nan"):
        with pytest.raises(BadInput):
            parse_likings(wrong)
    assert parse_like(["price=20", "brand = acme"]) == {"price": "20", "brand": "acme"}
    with pytest.raises(BadInput, match="does not give a value"):
        parse_like(["price<20"])


numbers = st.lists(st.integers(-8, 8), min_size=1, max_size=60)


@settings(max_examples=200)
@given(numbers, st.lists(st.integers(0, 4), min_size=60, max_size=60), st.integers(1, 8), st.integers(0, 3))
def test_no_image_that_metadata_could_lift_is_missed(scores: list[int], amounts: list[int], k: int, tilt: int) -> None:
    """Deep down the pictures' own ranking there may be an image with the most alike metadata."""
    rows = np.arange(len(scores) * 30, dtype=np.int64)
    values = np.repeat(np.array(scores) / 8, 30)
    order = np.lexsort((rows, -values))
    liked = rows[(rows * 7 + tilt) % 11 == 0]
    likes = np.array(amounts)[liked % 60] / 4.0
    liked, likes = liked[likes > 0], likes[likes > 0]

    def first(depth: int) -> tuple[Rows, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        return rows[order[:depth]], values[order[:depth]]

    found = with_likeness(first, lambda some: (some, values[some]), (liked, likes, 1.5))(k)
    total = {row: values[row] / 2.5 for row in rows.tolist()}
    for row, amount in zip(liked.tolist(), likes.tolist(), strict=True):
        total[row] = (values[row] + amount) / 2.5
    best = sorted(total, key=lambda row: (-total[row], row))[:k]
    assert found[0].tolist() == best
    assert found[1].tolist() == pytest.approx([total[row] for row in best])
