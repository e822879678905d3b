"""``POST /v1/collections/{name}/search`` gives what the library gives, in every way that a query can come."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lookalike
from lookalike.serve import wire
from serving import Client, Start, item, query


def expected(folder: Path, what: Any, k: int = 20, **options: Any) -> list[str]:
    with lookalike.open(folder) as photos:
        return [hit.id for hit in photos.search(what, k, **options)]


def test_an_upload_is_searched_for_as_the_library_does(client: Client, folder: Path, pictures: list[Path]) -> None:
    answer = client(
        "POST",
        "/v1/collections/photos/search",
        files={"image": ("any name", pictures[3].read_bytes(), "image/png")},
        data={"k": "7"},
    )
    assert answer.status_code == 200, answer.text
    assert [hit["id"] for hit in answer.json()["hits"]] == expected(folder, pictures[3], 7)


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_an_image_in_base64(client: Client, folder: Path, pictures: list[Path], prefix: str) -> None:
    text = prefix + base64.b64encode(pictures[5].read_bytes()).decode()
    assert client.ids(query(item("image", text))) == expected(folder, pictures[5])


def test_ids_words_and_vectors(client: Client, folder: Path, pictures: list[Path]) -> None:
    assert client.ids(query(item("id", "picture-0004.png"))) == expected(folder, "id:picture-0004.png")
    assert client.ids(query(item("text", "0007"))) == ["picture-0007.png"]
    with lookalike.open(folder) as photos:
        vector = photos.searcher.vectors(np.array([1]))[0]
        best = photos.search(vector, 3)
    body = {"query": {"items": [{"kind": "vector", "vector": vector.tolist()}]}, "k": 3}
    assert client.ids(body) == [hit.id for hit in best]


def test_several_with_weights_are_their_mean(client: Client, folder: Path, pictures: list[Path]) -> None:
    from lookalike.types import Query, QueryItem

    same = Query((QueryItem("id", "picture-0001.png", 2.0), QueryItem("id", "picture-0002.png", -0.5)))
    body = query(item("id", "picture-0001.png", weight=2), item("id", "picture-0002.png", weight=-0.5))
    assert client.ids(body) == expected(folder, same)


def test_what_a_person_marked_moves_the_query(client: Client, folder: Path) -> None:
    from lookalike.types import Query, QueryItem

    # Rocchio: 0.75 for the two liked ones together, 0.15 for the disliked one.
    same = Query(
        (
            QueryItem("id", "picture-0001.png", 1.0),
            QueryItem("id", "picture-0002.png", 0.375),
            QueryItem("id", "picture-0003.png", 0.375),
            QueryItem("id", "picture-0004.png", -0.15),
        )
    )
    body = query(
        item("id", "picture-0001.png"),
        positive=["picture-0002.png", "picture-0003.png"],
        negative=["picture-0004.png"],
    )
    assert client.ids(body) == expected(folder, same)


def test_a_box_of_an_upload_and_of_a_stored_image_is_its_crop(client: Client, pictures: list[Path]) -> None:
    text = base64.b64encode(pictures[6].read_bytes()).decode()
    box = [0.25, 0.25, 0.75, 0.75]
    uploaded = client.search(query(item("image", text, box=box))).json()["hits"]
    stored = client.search(query(item("id", "picture-0006.png", box=[24, 24, 72, 72]))).json()["hits"]
    assert [hit["score"] for hit in uploaded] == [hit["score"] for hit in stored]
    assert uploaded[0]["score"] < 0.999  # a part is not the whole


def test_not_same_leaves_out_the_image_itself(client: Client) -> None:
    assert client.ids(query(item("id", "picture-0001.png")))[0] == "picture-0001.png"
    assert "picture-0001.png" not in client.ids(query(item("id", "picture-0001.png"), not_same=True))


def test_the_answer_is_what_the_document_says(client: Client) -> None:
    answer = client.search(query(item("id", "picture-0001.png"), k=3)).json()
    read = wire.SearchAnswer.model_validate(answer)
    assert [hit.rank for hit in read.hits] == [1, 2, 3]
    assert read.query == {"items": [{"kind": "id", "value": "picture-0001.png", "weight": 1.0}]}
    assert read.query_id == "picture-0001.png"
    assert read.hits[0].score == pytest.approx(1.0)
    assert read.hits[0].scores == {"vector": pytest.approx(1.0)}
    assert "source" not in answer["hits"][0]  # where files lie is told only where the operator wants it
    assert set(answer["took_ms"]) >= {"search", "total"}


def test_twenty_results_unless_asked_otherwise(client: Client) -> None:
    assert len(client.ids(query(item("id", "picture-0001.png")))) == 20


def test_pages_are_the_ranking_cut_into_pieces(client: Client) -> None:
    body = query(item("id", "picture-0001.png"), k=7)
    whole = client.ids(query(item("id", "picture-0001.png"), k=30))
    found: list[str] = []
    ranks: list[int] = []
    cursor = None
    while True:
        answer = client.search({**body, **({"cursor": cursor} if cursor else {})}).json()
        found += [hit["id"] for hit in answer["hits"]]
        ranks += [hit["rank"] for hit in answer["hits"]]
        cursor = answer.get("next")
        if cursor is None:
            break
    assert found == whole
    assert ranks == list(range(1, 31))
    assert client.ids({**body, "offset": 14}) == whole[14:21]


def test_a_page_moves_nothing_when_images_come_and_go(client: Client, pictures: list[Path]) -> None:
    body = query(item("id", "picture-0001.png"), k=5)
    whole = client.ids({**body, "k": 30})
    first = client.search(body).json()
    # Two of those that were shown go, and a copy of the query comes: it ranks before everything that was shown.
    for gone in whole[1:3]:
        assert client("DELETE", f"/v1/collections/photos/records/{gone}").status_code == 200
    client("PUT", "/v1/collections/photos/records/copy.png", files={"image": pictures[1].read_bytes()})
    second = client.search({**body, "cursor": first["next"]}).json()
    assert [hit["id"] for hit in second["hits"]] == whole[5:10]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (query(), 400, "nothing to search for"),
        (query(item("id", "nobody.png")), 400, "nobody.png"),
        (query(item("id", "")), 400, "empty"),
        (query(item("image", "!!!")), 400, "base64"),
        (query(item("image", "aGVsbG8=")), 422, ""),
        (query(item("upload", "image")), 400, "no file came"),
        (query(item("id", "picture-0001.png", weight=0)), 400, "weight"),
        (query(item("id", "picture-0001.png", weight=-1)), 400, "not taken away"),
        (query(item("id", "picture-0001.png"), k=0), 422, "k"),
        (query(item("id", "picture-0001.png"), k=100_000), 413, "at most"),
        (query(item("id", "picture-0001.png"), offset=1_000_000), 413, "deep"),
        (query(item("id", "picture-0001.png"), offset=-1), 422, "offset"),
        (query(item("id", "picture-0001.png"), kk=3), 422, "'kk'"),
        (query(item("id", "picture-0001.png"), cursor="xx"), 400, "cursor"),
        (query(item("id", "picture-0001.png"), min_relevance=0.5), 400, "not calibrated"),
        (query(item("id", "picture-0001.png"), group_by="colour"), 400, "colour"),
        (query(item("id", "picture-0001.png"), spaces={"other": 1}), 400, "other"),
        (query(item("id", "picture-0001.png"), rerank=["geometry"]), 400, "geometry"),
        (query(item("id", "picture-0001.png"), merge="mean"), 400, "together"),
        (query(item("id", "picture-0001.png"), augment="upside-down"), 400, "upside-down"),
        (query(item("id", "picture-0001.png"), metadata="nothing:0.2"), 400, "nothing"),
        (query(item("id", "picture-0001.png"), spaces="learned"), 400, "learn"),
        (query(item("nothing", "x")), 422, "kind"),
        (query({"kind": "vector", "vector": [1.0, 2.0]}), 400, "1201"),
        (query(*[item("id", "picture-0001.png")] * 65), 413, "64"),
        ([], 422, "object"),
    ],
)
def test_what_cannot_be_searched_for_is_said_in_a_sentence(client: Client, body: Any, status: int, words: str) -> None:
    answer = client.search(body)
    assert answer.status_code == status, answer.text
    error = wire.ErrorBody.model_validate(answer.json()).error
    assert words in error.message
    assert error.code != "internal"


def test_a_misspelt_key_gets_the_nearest_one(client: Client) -> None:
    error = client.search(query(item("id", "picture-0001.png"), notsame=True)).json()["error"]
    assert error["hint"] == "Did you mean 'not_same'?"


def test_a_cursor_of_another_search_is_refused(client: Client) -> None:
    cursor = client.search(query(item("id", "picture-0001.png"), k=3)).json()["next"]
    answer = client.search(query(item("id", "picture-0002.png"), k=3, cursor=cursor))
    assert answer.status_code == 400
    assert "another search" in answer.json()["error"]["message"]


def test_a_picture_over_the_megapixels_is_refused(start: Start, pictures: list[Path]) -> None:
    with start(max_megapixels=0.001) as client:
        text = base64.b64encode(pictures[0].read_bytes()).decode()
        for body in (query(item("image", text)), query(item("image", text, box=[0, 0, 0.5, 0.5]))):
            answer = client.search(body)
            assert answer.status_code == 413
            assert answer.json()["error"]["code"] == "image_too_large"


def test_query_images_are_kept_only_where_the_operator_says_so(
    start: Start, tmp_path: Path, folder: Path, pictures: list[Path]
) -> None:
    import hashlib

    data = pictures[2].read_bytes()
    body = query(item("image", base64.b64encode(data).decode()))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with start() as client:
        client.search(body)
    assert {path for path in tmp_path.rglob("*") if path.is_file() and data in [path.read_bytes()]} <= before
    with start(keep_queries=str(tmp_path / "queries")) as client:
        query_id = client.search(body).json()["query_id"]
    digest = hashlib.sha256(data).hexdigest()
    assert query_id == f"sha256:{digest}"
    assert (tmp_path / "queries" / digest[:2] / digest).read_bytes() == data


def test_conditions_on_metadata(client: Client, pictures: list[Path]) -> None:
    for number, price in ((1, 10), (2, 30)):
        answer = client(
            "PUT",
            f"/v1/collections/photos/records/priced/{number}",
            files={"image": pictures[number].read_bytes()},
            data={"metadata": f'{{"price": {price}}}'},
        )
        assert answer.status_code == 201, answer.text
    wanted = item("id", "picture-0001.png")
    assert client.ids(query(wanted, where="price<20")) == ["priced/1"]
    assert client.ids(query(wanted, where=["price>5", {"column": "price", "op": ">", "value": 20}])) == ["priced/2"]
    assert client.search(query(wanted, where="cost<20")).status_code == 400
    assert client.search(query(wanted, where=[{"column": "price", "op": "like"}])).status_code == 422


def test_groups_views_and_metadata_in_the_score_are_those_of_the_library(
    client: Client, folder: Path, pictures: list[Path]
) -> None:
    for number in range(6):
        kind = "even" if number % 2 == 0 else "odd"
        body = {"image": base64.b64encode(pictures[number].read_bytes()).decode(), "metadata": {"kind": kind}}
        assert client("PUT", f"/v1/collections/photos/records/k{number}.png", json=body).status_code == 201
    for options in (
        {"group_by": "kind", "merge": "mean"},
        {"metadata": "kind:0.3"},
        {"metadata": "kind:0.3", "like": {"kind": "odd"}},
    ):
        found = client.ids(query(item("id", "k2.png"), **options))
        assert found == expected(folder, "id:k2.png", **options)
    text = base64.b64encode(pictures[2].read_bytes()).decode()
    assert client.ids(query(item("image", text), augment="mirror")) == expected(folder, pictures[2], augment="mirror")
