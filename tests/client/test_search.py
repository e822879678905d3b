"""A search over a server gives what the same search of the collection gives."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

import lookalike
from lookalike.client import AsyncClient, Client
from lookalike.client.asking import SearchOptions
from lookalike.collection import Results
from lookalike.errors import BadInput, BadQuery, BrokenImage, NoSuchFile, NotFound
from lookalike.types import Hit, Query, QueryItem


def same(found: Results, expected: Results) -> None:
    """Scores travel with six digits; everything else is the same."""
    assert [(hit.rank, hit.id, hit.row, hit.found_by, hit.group, hit.region) for hit in found] == [
        (hit.rank, hit.id, hit.row, hit.found_by, hit.group, hit.region) for hit in expected
    ]
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-6)
    assert [hit.metadata for hit in found] == [dict(hit.metadata) for hit in expected]
    assert [(hit.width, hit.height) for hit in found] == [(hit.width, hit.height) for hit in expected]
    assert found.note == expected.note


def test_every_kind_of_query(url: str, still: Path, pictures: list[Path]) -> None:
    pixels = np.asarray(Pillow.open(pictures[4]).convert("RGB"))
    with Client(url) as client, lookalike.open(still) as photos:
        vector = photos.vector(pictures[2])[0]
        queries: list[Any] = [
            str(pictures[3]),
            pictures[3],
            pictures[3].read_bytes(),
            pixels,
            pixels[:, :, 0],
            Pillow.open(pictures[5]),
            vector,
            f"id:{pictures[6].name}",
            "text:0007",
            [pictures[1], pictures[2].read_bytes()],
            Query((QueryItem("path", str(pictures[1]), 2.0), QueryItem("id", pictures[2].name, -0.5))),
        ]
        for what in queries:
            found = client.search(what, 7)
            same(found, photos.search(what, 7))
            assert all(isinstance(hit, Hit) for hit in found)


def outcome(photos: Any, query: Query, k: int, options: dict[str, Any]) -> Results | tuple[type, str]:
    """Return the results, or what kind of error came and its message."""
    try:
        results: Results = photos.search(query, k, **options)
    except lookalike.LookalikeError as error:
        return type(error), error.message
    return results


ids = st.integers(0, 29).map(lambda seed: QueryItem("id", f"picture-{seed:04d}.png"))
weights = st.sampled_from([0.5, 1.0, 2.0, -0.3])
options = st.fixed_dictionaries(
    {},
    optional={
        "not_same": st.booleans(),
        "group_by": st.just("price"),
        "where": st.sampled_from(["price<4", ["price>=2", "tags contains blue"], [], "price in 1,2"]),
        "metadata": st.sampled_from(["price:0.2", "tags:tags:0.3,price:0.1"]),
        "like": st.just({"price": 3, "tags": ["red"]}),
        "spaces": st.sampled_from(["builtin-1", {"builtin-1": 2.0}]),
        "fusion": st.sampled_from(["sum", "rrf"]),
        "merge": st.sampled_from(["best", "mean", "gem"]),
    },
)


@settings(max_examples=40, deadline=None)
@given(first=ids, others=st.lists(st.tuples(ids, weights), max_size=2), k=st.integers(1, 35), options=options)
def test_client_and_collection_agree(
    url: str, still: Path, first: QueryItem, others: list[tuple[QueryItem, float]], k: int, options: dict[str, Any]
) -> None:
    items = [first, *(QueryItem(item.kind, item.value, weight) for item, weight in others)]
    with Client(url) as client, lookalike.open(still) as photos:
        found, expected = (outcome(each, Query(tuple(items)), k, options) for each in (client, photos))
        if isinstance(found, Results) and isinstance(expected, Results):
            same(found, expected)
        else:
            assert found == expected


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 29), k=st.integers(1, 40))
def test_the_pages_are_one_long_search(url: str, seed: int, k: int) -> None:
    with Client(url) as client:
        pages = list(client.pages(f"id:picture-{seed:04d}.png", k))
        whole = client.search(f"id:picture-{seed:04d}.png", 30)
        assert [hit for page in pages for hit in page] == list(whole)
        assert all(len(page) == k for page in pages[:-1])


def test_more_hits_than_one_request_gives(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Client(url) as client:
        whole = client.search("id:picture-0001.png", 30)
        monkeypatch.setattr("lookalike.client.operations.MOST", 7)
        assert list(client.search("id:picture-0001.png", 30)) == list(whole)
        assert list(client.search("id:picture-0001.png", 10)) == list(whole[:10])


def test_a_box_and_what_a_person_marked(url: str, still: Path, pictures: list[Path]) -> None:
    crop = Pillow.open(pictures[6]).convert("RGB").crop((24, 24, 72, 72))
    marked = Query(
        (  # Rocchio's weights: 0.75 for all that is liked, 0.15 for what is not
            QueryItem("id", pictures[1].name, 1.0),
            QueryItem("id", pictures[2].name, 0.75),
            QueryItem("id", pictures[3].name, -0.15),
        )
    )
    with Client(url) as client, lookalike.open(still) as photos:
        same(client.search(pictures[6], 9, box=(0.25, 0.25, 0.75, 0.75)), photos.search(np.asarray(crop), 9))
        same(client.search(f"id:{pictures[6].name}", 9, box=(24, 24, 72, 72)), photos.search(np.asarray(crop), 9))
        found = client.search(f"id:{pictures[1].name}", 9, positive=[pictures[2].name], negative=[pictures[3].name])
        assert [hit.id for hit in found] == [hit.id for hit in photos.search(marked, 9)]
        alone = client.search([], 9, positive=[pictures[2].name])
        assert [hit.id for hit in alone] == [hit.id for hit in photos.search(f"id:{pictures[2].name}", 9)]
        with pytest.raises(BadQuery, match="has 2"):
            client.search([pictures[1], pictures[2]], box=(0, 0, 1, 1))


@pytest.mark.parametrize(
    ("what", "options", "kind"),
    [
        ("nothing-here.jpg", {}, NoSuchFile),
        ("id:nothing-here", {}, BadQuery),
        (b"no picture", {}, BrokenImage),
        ("id:picture-0001.png", {"where": "prize<3"}, BadInput),
        ("id:picture-0001.png", {"min_relevance": 0.5}, BadInput),
        ("id:picture-0001.png", {"k": 0}, BadInput),
        (np.array([1.0, np.nan], np.float32), {}, BadInput),
        ([], {}, BadQuery),
    ],
)
def test_errors_are_those_of_the_collection(
    url: str, still: Path, what: Any, options: dict[str, Any], kind: type[Exception]
) -> None:
    with Client(url) as client, lookalike.open(still) as photos:
        with pytest.raises(kind):
            photos.search(what, **options)
        with pytest.raises(kind) as refused:
            client.search(what, **options)
        assert isinstance(refused.value, lookalike.LookalikeError)
        assert refused.value.exit_code == 2


def test_what_a_server_tells_of_itself(url: str, still: Path, pictures: list[Path]) -> None:
    with Client(url.removesuffix("/photos")) as client, lookalike.open(still) as photos:
        assert client.ready()
        assert len(client) == len(photos)  # its only collection
        assert client.url == url
        assert [each.name for each in client.collections()] == ["photos"]
        assert client.info()["space"] == photos.info()["space"]
        expected = photos.get(pictures[3].name)
        record = client.get(pictures[3].name)
        assert record is not None
        assert expected is not None
        for name in ("row", "id", "content_hash", "width", "height", "metadata"):
            assert getattr(record, name) == getattr(expected, name)
        assert record.indexed_ns == expected.indexed_ns // 10**9 * 10**9
        assert client.get("nothing") is None
        assert pictures[3].name in client
        assert [each.id for each in client] == [each.id for each in photos]
        with pytest.raises(NotFound, match="'dogs'"):
            client.open("dogs").search("text:x")


def test_pictures_of_hits(url: str, pictures: list[Path]) -> None:
    from io import BytesIO

    with Client(url) as client:
        hit = client.search(pictures[3], 1)[0]
        assert hit.source == hit.link  # where files lie is the server's own business
        shown = Pillow.open(BytesIO(client.picture(hit)))
        assert shown.size == (96, 96)
        assert Pillow.open(BytesIO(client.picture(hit, side=160))).format == "JPEG"


def test_explaining(url: str, pictures: list[Path]) -> None:
    with Client(url) as client:
        found = client.explain(pictures[3], pictures[3].name, cells=4)
        assert found.score == pytest.approx(1.0, abs=1e-5)
        assert np.shape(found.grid) == (4, 4)


def test_the_options_are_those_of_a_collection() -> None:
    of_collection = set(inspect.signature(lookalike.Collection.search).parameters) - {"self", "what", "k"}
    assert set(SearchOptions.__annotations__) == of_collection | {"box", "positive", "negative"}


def test_both_clients_have_the_same_methods() -> None:
    def public(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(value).parameters)
            for name, value in vars(kind).items()
            if callable(value) and not name.startswith("_")
        }

    assert public(Client) == public(AsyncClient)
    assert inspect.signature(Client.__init__) == inspect.signature(AsyncClient.__init__)


def test_many_searches_at_once(url: str, still: Path, pictures: list[Path]) -> None:
    async def all_of_them() -> list[list[str]]:
        async with AsyncClient(url) as client:
            found = await asyncio.gather(*(client.search(picture, 5) for picture in pictures))
            pages = [page async for page in client.pages(pictures[0], 20)]
            assert [len(page) for page in pages] == [20, 10]
            assert [record.id async for record in client] == sorted(picture.name for picture in pictures)
            assert await client.count() == len(pictures)
            with pytest.raises(BadQuery):
                await client.search("id:nothing")
            return [[hit.id for hit in results] for results in found]

    with lookalike.open(still) as photos:
        expected = [[hit.id for hit in photos.search(picture, 5)] for picture in pictures]
    assert asyncio.run(all_of_them()) == expected
