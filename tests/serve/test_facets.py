"""The columns that the page offers for filters, and the pictures that it begins with."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import lookalike
from lookalike.serve.facets import facets, sampled
from pictures import picture
from serving import Client


def test_types_and_values(tmp_path: Path) -> None:
    metadata = [
        {"price": 3, "size": "10", "brand": "acme", "tags": ["red", "new"], "id": "007", "sold": True, "note": None},
        {"price": 4.5, "size": "9.5", "brand": "bolt", "tags": ["red"], "id": "008", "sold": False},
        {"price": -1, "size": "11", "brand": "acme", "tags": "blue", "id": "009"},
    ]
    with lookalike.open(tmp_path / "c") as shop:
        shop.add_images([picture(seed) for seed in range(3)], ids=["a", "b", "c"], metadata=metadata)
        found = {each["name"]: (each["type"], each.get("values")) for each in facets(shop.store)}
    assert found == {
        "price": ("number", None),
        "size": ("number", None),
        "brand": ("text", ["acme", "bolt"]),
        "tags": ("tags", ["red", "new", "blue"]),
        "id": ("text", ["007", "008", "009"]),  # read as numbers they would lose their zeros
        "sold": ("text", ["true", "false"]),
        "note": ("text", []),
    }


def test_free_text_has_no_list(tmp_path: Path) -> None:
    with lookalike.open(tmp_path / "c") as shop:
        ids = [f"{number}" for number in range(60)]
        shop.add_images([picture(1, side=16)] * 60, ids=ids, metadata=[{"title": f"title {each}"} for each in ids])
        assert facets(shop.store) == [{"name": "title", "type": "text"}]


@given(st.integers(1, 60), st.integers(0, 300))
def test_samples_are_distinct_and_from_all_over(count: int, among: int) -> None:
    places = sampled(count, among)
    assert places == sorted(set(places))
    assert len(places) == min(count, among)
    assert all(0 <= place < among for place in places)
    if among > count > 1:
        steps = {later - earlier for earlier, later in pairwise(places)}
        assert max(steps) - min(steps) <= 1


def test_the_routes(client: Client) -> None:
    found = client("GET", "/v1/collections/photos/samples?k=5").json()["records"]
    assert len({record["id"] for record in found}) == 5
    assert client("GET", found[0]["thumbnail"]).status_code == 200
    assert client("GET", "/v1/collections/photos/samples?k=0").status_code == 400
    assert client("GET", "/v1/collections/photos").json()["facets"] == []
