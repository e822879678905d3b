"""Folders and pictures are uploaded: what is there already stays, and one bad file stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from live import live
from lookalike.client import AsyncClient, Client
from lookalike.collection.in_memory import AnyImage
from lookalike.errors import BadInput, NoSuchFile, NotAllowed, NotFound
from lookalike.serve.keys import add_key
from pictures import picture, write_pictures


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    with live({"photos": folder}) as url:
        yield url


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    with Client(server, "photos") as client:
        yield client


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Ten pictures, two of them in a folder, and four files that cannot be used."""
    folder = tmp_path / "new"
    write_pictures(folder, 8, start=50)
    write_pictures(folder / "below", 2, start=70)
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.png").write_bytes(b"")
    whole = (folder / "picture-0050.png").read_bytes()
    (folder / "below" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    return folder


def test_a_folder_with_bad_files_in_it(client: Client, new: Path) -> None:
    seen: list[int] = []
    report = client.add(new, on_progress=lambda so_far: seen.append(so_far.done))
    assert (report.added, report.replaced, report.unchanged) == (10, 0, 0)
    assert report.skipped_count == 4
    assert {Path(skipped.source).name for skipped in report.skipped} == {"text.jpg", "empty.png", "cut.png", "gone.png"}
    assert all(skipped.error.message for skipped in report.skipped)
    assert len(client) == 40
    assert "below/picture-0070.png" in client
    assert seen == sorted(seen)
    assert seen[-1] == 14
    # Each is found again by itself, with the vector that the library makes of it.
    assert client.search(new / "picture-0053.png", 1)[0].id == "picture-0053.png"


def test_what_is_unchanged_is_not_sent_again(client: Client, new: Path) -> None:
    client.add(new)
    Pillow.fromarray(picture(99)).save(new / "picture-0051.png")
    write_pictures(new, 1, start=60)
    before = client.get("picture-0051.png")
    report = client.add(new)
    assert (report.added, report.replaced, report.unchanged) == (1, 1, 9)
    after = client.get("picture-0051.png")
    assert before is not None
    assert after is not None
    assert after.row == before.row
    assert after.content_hash != before.content_hash


def test_the_same_as_indexing_the_folder_here(client: Client, new: Path, tmp_path: Path) -> None:
    client.add(new)
    with lookalike.open(tmp_path / "here.collection") as here:
        report = here.add(new)
        assert report.added == 10
        for record in here:
            there = client.get(record.id)
            assert there is not None
            assert there.content_hash == record.content_hash


def test_prefixes_and_two_sources_with_files_of_one_name(client: Client, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_pictures(first, 2, start=80)
    write_pictures(second, 1, start=80)
    report = client.add([first, second])
    assert (report.added, report.skipped_count) == (2, 1)
    assert "another source" in report.skipped[0].error.message
    report = client.add(second, prefix="second/")
    assert report.added == 1
    assert "second/picture-0080.png" in client


def test_metadata_of_a_list(client: Client, new: Path) -> None:
    table = new / "table.csv"
    table.write_text("path,price\npicture-0050.png,3\npicture-0051.png,4\nmissing.png,5\n", encoding="utf-8")
    report = client.add(table)
    assert (report.added, report.skipped_count) == (2, 1)
    assert [hit.id for hit in client.search("id:picture-0050.png", where="price=4")] == ["picture-0051.png"]
    table.write_text("path,price\npicture-0050.png,3\npicture-0051.png,6\n", encoding="utf-8")
    report = client.add(table)
    assert (report.replaced, report.unchanged) == (1, 1)
    assert [hit.id for hit in client.search("id:picture-0050.png", where="price=6")] == ["picture-0051.png"]


def test_an_image_that_is_too_large_stops_no_other(folder: Path, new: Path) -> None:
    rng = np.random.default_rng(0)
    Pillow.fromarray(rng.integers(0, 256, (300, 300, 3), np.uint8)).save(new / "noise.png")  # 270 kB
    with live({"photos": folder}, max_upload=100_000) as url, Client(url, "photos") as client:
        report = client.add(new)
        assert report.added == 10
        large = [skipped for skipped in report.skipped if skipped.source.endswith("noise.png")]
        assert [skipped.error.code for skipped in large] == ["over_limit"]
    with live({"photos": folder}, max_body=150_000) as url, Client(url, "photos") as client:
        report = client.add(new, prefix="again/")
        assert report.added == 10
        assert report.skipped_count == 5


def test_pictures_in_memory(client: Client) -> None:
    pixels = picture(90)
    images: list[AnyImage] = [pixels, Pillow.fromarray(picture(91)), b"no picture"]
    report = client.add_images(images, ids=["a", "b/c", "bad"], metadata=[{"n": 1}, {"n": 2}, {}])
    assert (report.added, report.skipped_count) == (2, 1)
    assert report.skipped[0].error.code == "broken_image"
    record = client.get("b/c")
    assert record is not None
    assert record.metadata == {"n": 2}
    assert client.search(pixels, 1)[0].id == "a"
    assert client.remove(["a", "b/c", "never"]) == 2
    with pytest.raises(BadInput, match="one id"):
        client.add_images([pixels], ids=[])


def test_a_misspelt_folder(client: Client, tmp_path: Path) -> None:
    with pytest.raises(NoSuchFile):
        client.add([tmp_path / "nowhere"])
    with pytest.raises(BadInput, match="nothing to add"):
        client.add([])


def test_the_click_log(client: Client) -> None:
    results = client.search("id:picture-0001.png", 5)
    assert client.feedback(results, results[1].id, judged={results[2].id: -1}) == 5
    reply = client._http().get(f"{client._do.server}/v1/collections/photos/feedback")
    lines = reply.text.splitlines()
    assert len(lines) == 6
    assert [line.rpartition(",")[0].rpartition(",")[2] for line in lines[1:]] == ["0", "1", "0", "0", "0"]


def test_asynchronous_writing(server: str, new: Path) -> None:
    async def write() -> None:
        async with AsyncClient(server, "photos") as client:
            report, results = await asyncio.gather(client.add(new), client.search("id:picture-0001.png", 3))
            assert (report.added, report.skipped_count) == (10, 4)
            assert len(results) == 3
            assert await client.remove("picture-0050.png") == 1
            assert await client.get("picture-0050.png") is None

    asyncio.run(write())


def test_keys(folder: Path, tmp_path: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys.toml"
    searcher, writer = add_key(keys, "page", "search"), add_key(keys, "shop", "write")
    with live({"photos": folder}, api_keys=str(keys)) as url:
        with Client(url, "photos") as client, pytest.raises(NotAllowed, match="LOOKALIKE_KEY") as refused:
            client.search("id:picture-0001.png")
        assert refused.value.code == "no_key"
        with Client(url, "photos", key=searcher) as client:
            hit = client.search("id:picture-0001.png", 1)[0]
            assert client.picture(hit, side=160)[:2] == b"\xff\xd8"
            with pytest.raises(NotAllowed, match="needs write"):
                client.add(new)
            with pytest.raises(NotFound):
                client.open("other").search("text:x")
        monkeypatch.setenv("LOOKALIKE_KEY", writer)
        with Client(url, "photos") as client:
            assert client.add(new).added == 10
        assert writer not in repr(client)
    with pytest.raises(BadInput, match="printable"):
        Client(url, key="two\nlines")


def test_the_key_goes_to_no_other_host(client: Client) -> None:
    from dataclasses import replace

    hit = replace(client.search("id:picture-0001.png", 1)[0], link="http://127.0.0.2:1/steal")
    with pytest.raises(NotAllowed, match="is not on"):
        client.picture(hit)
