"""Adding, replacing and removing images over HTTP, and what is served of them."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.images.decode import decode
from lookalike.serve import wire
from pictures import picture, write_pictures
from serving import Client, Start, item, query

RECORDS = "/v1/collections/photos/records"


def put(client: Client, id: str, data: bytes, **fields: str) -> Any:
    return client("PUT", f"{RECORDS}/{id}", files={"image": ("x", data)}, data=fields)


def png(seed: int, side: int = 96) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(picture(seed, side=side)).save(out, "PNG")
    return out.getvalue()


def test_a_new_image_is_found_at_once_and_is_gone_when_removed(client: Client) -> None:
    answer = put(client, "new/folder/x.png", png(77), metadata='{"colour": "red"}')
    assert answer.status_code == 201
    assert answer.json()["status"] == "added"
    text = base64.b64encode(png(77)).decode()
    assert client.ids(query(item("image", text)))[0] == "new/folder/x.png"
    record = wire.Record.model_validate(client("GET", f"{RECORDS}/new/folder/x.png").json())
    assert (record.width, record.height, record.metadata) == (96, 96, {"colour": "red"})
    assert client("DELETE", f"{RECORDS}/new/folder/x.png").json() == {"deleted": 1}
    assert client("GET", f"{RECORDS}/new/folder/x.png").status_code == 404
    assert client("DELETE", f"{RECORDS}/new/folder/x.png").status_code == 404
    assert "new/folder/x.png" not in client.ids(query(item("image", text)))


def test_the_vector_is_that_of_indexing(client: Client, folder: Path) -> None:
    put(client, "a.png", png(78))
    with lookalike.open(folder) as photos:
        record = photos.get("a.png")
        assert record is not None
        stored = photos.searcher.vectors(np.array([record.row]))
        np.testing.assert_allclose(stored, photos.embedder.embed([decode(png(78)).pixels]), atol=1e-6)


def test_replacing_keeps_the_row_and_the_metadata_unless_others_are_given(client: Client, folder: Path) -> None:
    first = put(client, "a.png", png(1), metadata='{"n": 1}').json()
    assert put(client, "a.png", png(2)).json() == {"id": "a.png", "row": first["row"], "status": "replaced"}
    record = client("GET", f"{RECORDS}/a.png").json()
    assert record["metadata"] == {"n": 1}
    put(client, "a.png", png(2), metadata="{}")
    assert client("GET", f"{RECORDS}/a.png").json()["metadata"] == {}
    files = [file for file in (folder / "uploads").rglob("*") if file.is_file()]
    assert [file.read_bytes() for file in files] == [png(2)]  # what was replaced takes no room


@pytest.mark.parametrize("id", ["a b.png", "ü/ß.png", "50%.png", "a?b#c.png", "a.png/image", "%FF.png", "x" * 300])
def test_ids_of_any_letters(client: Client, id: str) -> None:
    from urllib.parse import quote

    assert put(client, quote(id), png(5)).status_code == 201
    assert client("GET", f"{RECORDS}/{quote(id)}").json()["id"] == id
    assert client("DELETE", f"{RECORDS}/{quote(id)}").json() == {"deleted": 1}


def test_json_with_base64(client: Client) -> None:
    body = {"image": base64.b64encode(png(3)).decode(), "metadata": {"a": [1, None]}}
    assert client("PUT", f"{RECORDS}/j.png", json=body).status_code == 201
    assert client("GET", f"{RECORDS}/j.png").json()["metadata"] == {"a": [1, None]}


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"image": "!"}, 400), ({"image": "aGk="}, 422), ({"image": "aGk=", "url": "http://x/"}, 400)],
)
def test_what_is_no_image_is_refused_and_leaves_nothing(
    client: Client, folder: Path, body: dict[str, str], status: int
) -> None:
    assert client("PUT", f"{RECORDS}/bad.png", json=body).status_code == status
    assert client("GET", f"{RECORDS}/bad.png").status_code == 404
    assert [file for file in (folder / "uploads").rglob("*") if file.is_file()] == []


def test_a_batch_goes_on_without_what_is_broken(client: Client) -> None:
    files = [("image", ("one.png", png(1))), ("image", ("two.png", b"no picture")), ("image", ("three.png", png(3)))]
    answer = wire.SavedRecords.model_validate(client("POST", RECORDS, files=files).json())
    assert [saved.id for saved in answer.saved] == ["one.png", "three.png"]
    assert [(skipped.id, skipped.error.code) for skipped in answer.skipped] == [("two.png", "broken_image")]
    deleted = client("POST", f"{RECORDS}/delete", json={"ids": ["one.png", "three.png", "nobody.png"]})
    assert deleted.json() == {"deleted": 2}


def test_of_an_id_that_comes_twice_the_last_wins(client: Client, folder: Path) -> None:
    images = [base64.b64encode(png(seed)).decode() for seed in (1, 2)]
    body = {"records": [{"id": "same.png", "image": image} for image in images]}
    assert client("POST", RECORDS, json=body).status_code == 200
    files = [file for file in (folder / "uploads").rglob("*") if file.is_file()]
    assert [file.read_bytes() for file in files] == [png(2)]


def test_writes_are_audited_without_their_content(client: Client, folder: Path) -> None:
    put(client, "a.png", png(1))
    client("DELETE", f"{RECORDS}/a.png")
    put(client, "bad.png", b"no picture")
    lines = [json.loads(line) for line in (folder / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["what"], line["ids"], line["caller"]) for line in lines] == [
        ("put", ["a.png"], "127.0.0.1"),
        ("delete", ["a.png"], "127.0.0.1"),
    ]


# -- pictures ---------------------------------------------------------------------------------------------------------


def row_of(client: Client, id: str) -> int:
    return int(client("GET", f"{RECORDS}/{id}").json()["row"])


def test_a_thumbnail_is_a_small_jpeg_that_is_kept(client: Client, folder: Path) -> None:
    put(client, "big.png", png(9, side=900))
    row = row_of(client, "big.png")
    answer = client("GET", f"/v1/collections/photos/thumbnails/{row}?side=200")
    assert answer.headers["content-type"] == "image/jpeg"
    with Pillow.open(io.BytesIO(answer.content)) as shown:
        assert shown.size == (320, 320)  # the next size that there is
        seen = np.asarray(shown.convert("RGB"), np.int16)
    wanted = np.asarray(Pillow.fromarray(picture(9, side=900)).resize((320, 320), Pillow.Resampling.LANCZOS), np.int16)
    assert np.abs(seen - wanted).mean() < 4
    kept = [file for file in (folder / "derived" / "thumbnails").rglob("*.jpg")]
    assert [file.read_bytes() for file in kept] == [answer.content]
    again = client("GET", f"/v1/collections/photos/thumbnails/{row}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_replaced_picture_has_another_thumbnail_and_address(client: Client) -> None:
    put(client, "a.png", png(1))
    first = client("GET", f"{RECORDS}/a.png").json()
    old = client("GET", first["thumbnail"])
    assert "immutable" in old.headers["cache-control"]
    put(client, "a.png", png(2))
    second = client("GET", f"{RECORDS}/a.png").json()
    assert second["thumbnail"] != first["thumbnail"]
    assert client("GET", second["thumbnail"]).content != old.content
    # The old address must not be told to be right for ever.
    assert "immutable" not in client("GET", first["thumbnail"]).headers["cache-control"]


def test_originals(start: Start, pictures: list[Path]) -> None:
    with start(originals="none") as client:
        assert client("GET", "/v1/collections/photos/images/1").status_code == 404
        assert "link" not in client.search(query(item("id", "picture-0001.png"))).json()["hits"][0]
    with start() as client:
        row = row_of(client, "picture-0001.png")
        assert client("GET", f"/v1/collections/photos/images/{row}").headers["content-type"] == "image/jpeg"
    with start(originals="file") as client:
        answer = client("GET", f"/v1/collections/photos/images/{row}")
        assert answer.content == pictures[1].read_bytes()
        assert answer.headers["content-type"] == "image/png"
        assert "sandbox" in answer.headers["content-security-policy"]


def test_a_file_that_became_a_link_to_elsewhere_is_not_served(tmp_path: Path, start: Start, folder: Path) -> None:
    own = write_pictures(tmp_path / "own", 2, start=50)
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(99))
    with lookalike.open(folder) as photos:
        photos.add(tmp_path / "own")
    own[0].unlink()
    own[0].symlink_to(secret)
    own[1].unlink()
    own[1].symlink_to(own[0].with_name("moved.png"))
    own[0].with_name("moved.png").write_bytes(png(51))
    for originals in ("encoded", "file"):
        with start(originals=originals) as client:
            for kind in ("images", "thumbnails"):
                row = row_of(client, own[0].name)
                assert client("GET", f"/v1/collections/photos/{kind}/{row}").status_code == 404
                row = row_of(client, own[1].name)  # a link that stays inside the folder
                assert client("GET", f"/v1/collections/photos/{kind}/{row}").status_code == 200


def test_a_file_that_became_no_picture_is_not_served_as_one(tmp_path: Path, start: Start, folder: Path) -> None:
    own = write_pictures(tmp_path / "own", 1, start=50)[0]
    with lookalike.open(folder) as photos:
        photos.add(tmp_path / "own")
    own.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    with start(originals="file") as client:
        row = row_of(client, own.name)
        assert client("GET", f"/v1/collections/photos/thumbnails/{row}").status_code == 404
        assert (
            client("GET", f"/v1/collections/photos/images/{row}").headers["content-type"] == "application/octet-stream"
        )
    with start() as client:
        assert client("GET", f"/v1/collections/photos/images/{row}").status_code == 404
    own.unlink()
    with start() as client:
        answer = client("GET", f"/v1/collections/photos/images/{row}")
        assert answer.status_code == 404
        assert str(tmp_path) not in answer.text


@pytest.mark.parametrize("row", ["0", "-1", "999999", "99999999999999999999", "x"])
def test_rows_that_are_not_there(client: Client, row: str) -> None:
    assert client("GET", f"/v1/collections/photos/thumbnails/{row}").status_code in (404, 422)


def test_the_content_filter_marks_or_hides(start: Start) -> None:
    with start() as client:
        for seed, nsfw in ((1, "0.9"), (2, "0.1"), (3, "0.5")):
            put(client, f"f{seed}.png", png(seed), metadata=f'{{"nsfw": {nsfw}}}')
    body = query(item("id", "f1.png"), k=50)
    with start(filter="column:nsfw") as client:
        marked = [hit["id"] for hit in client.search(body).json()["hits"] if hit.get("flagged")]
        assert sorted(marked) == ["f1.png", "f3.png"]
    with start(filter="column:nsfw", filter_action="hide") as client:
        ids = client.ids(body)
        assert {"f1.png", "f2.png", "f3.png"} & set(ids) == {"f2.png"}
        assert len(client.ids({**body, "k": 5})) == 5
