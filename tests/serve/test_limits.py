"""Limits: sizes, times, queues; and that batches change no result."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.embed import create
from lookalike.errors import BadInput, Overloaded, TimedOut
from lookalike.serve import Settings
from lookalike.serve.batching import Batcher, GatheredSearch, batched
from lookalike.serve.settings import load_settings
from lookalike.serve.working import Workers, remaining_s
from pictures import picture
from serving import Client, Start, item, query

SEARCH = "/v1/collections/photos/search"


def test_a_body_that_is_too_large(start: Start, pictures: list[Path]) -> None:
    data = pictures[0].read_bytes()
    with start(max_body=len(data) // 2) as client:
        assert client("POST", SEARCH, files={"image": data}).status_code == 413
        assert client("GET", "/healthz").status_code == 200

        def pieces() -> Any:
            async def sent() -> Any:
                for _ in range(100):
                    yield b" " * 1000

            return sent()

        headers = {"content-type": "application/json"}
        answer = client("POST", SEARCH, content=pieces(), headers=headers)  # no length is announced
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "over_limit"
    with start(max_upload=len(data) - 1) as client:
        assert client("POST", SEARCH, files={"image": data}).status_code == 413
        assert client("PUT", "/v1/collections/photos/records/x", files={"image": data}).status_code == 413


def test_a_body_that_trickles_in(start: Start) -> None:
    async def slow() -> Any:
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    with start(upload_limit_s=0.3) as client:
        answer = client("POST", SEARCH, content=slow(), headers={"content-type": "application/json"})
    assert answer.status_code == 504


def test_other_types_of_body(client: Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "image/jpeg"):
        answer = client("POST", SEARCH, content=b"{}", headers={"content-type": kind})
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
    broken = client("POST", SEARCH, content=b"xx", headers={"content-type": "multipart/form-data; boundary=b"})
    assert broken.status_code == 422
    assert client("POST", SEARCH, content=b"{", headers={"content-type": "application/json"}).status_code == 422
    assert client("PATCH", SEARCH).status_code == 405
    assert client("GET", "/v1/nothing").json()["error"]["code"] == "not_found"


def test_a_request_that_takes_too_long(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    with start(time_limit_s=0.2) as client:
        service = client.app.state.service
        with service.collections.use("photos") as served:
            monkeypatch.setattr(served.collection, "search", lambda *_, **__: time.sleep(0.6))
            answer = client.search(query(item("id", "picture-0001.png")))
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "timed_out"


def test_a_queue_that_is_full_says_when_to_come_back(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    with start(threads=1, waiting=1) as client:
        gate = threading.Event()
        with client.app.state.service.collections.use("photos") as served:
            search = served.collection.search

            def held(*args: Any, **options: Any) -> Any:
                gate.wait(10)
                return search(*args, **options)

            monkeypatch.setattr(served.collection, "search", held)
            body = query(item("id", "picture-0001.png"))
            with ThreadPoolExecutor(4) as pool:
                sent = [pool.submit(client.search, body) for _ in range(2)]
                while client.app.state.service.workers.inside < 2:
                    time.sleep(0.01)
                third = client.search(body)
                gate.set()
                assert [answer.result().status_code for answer in sent] == [200, 200]
    assert third.status_code == 503
    assert third.json()["error"]["code"] == "overloaded"
    assert int(third.headers["retry-after"]) >= 1


def test_a_proxy_may_pass_its_path_on_or_take_it_off(start: Start) -> None:
    with start(root_path="/images") as client:
        for front in ("", "/images"):
            assert client("GET", f"{front}/healthz").status_code == 200
            assert client("GET", f"{front}/").headers["content-type"].startswith("text/html")
            found = client("POST", f"{front}{SEARCH}", json=query(item("id", "picture-0001.png"))).json()["hits"][0]
            assert found["thumbnail"].startswith("/images/v1/collections/photos/thumbnails/")
            assert client("GET", found["thumbnail"]).status_code == 200
        assert client("GET", "/imagesv1/collections").status_code == 404
        assert client("GET", "/openapi.json").json()["servers"] == [{"url": "/images"}]


# -- batches ----------------------------------------------------------------------------------------------------------


def test_calls_that_come_together_share_a_batch() -> None:
    sizes: list[int] = []
    first = threading.Event()
    gate = threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        if len(sizes) == 1:
            first.set()
            gate.wait(10)
        return [2 * item for item in items]

    batcher = Batcher(work, size=4)
    with ThreadPoolExecutor(10) as pool:
        leader = pool.submit(batcher, 100)
        first.wait(10)
        others = [pool.submit(batcher, number) for number in range(9)]
        while len(batcher._queue) < 9:
            time.sleep(0.001)
        gate.set()
        assert leader.result() == 200
        assert [other.result() for other in others] == [2 * number for number in range(9)]
    assert sizes == [1, 4, 4, 1]


def test_one_bad_item_fails_alone() -> None:
    first, gate = threading.Event(), threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        first.set()
        gate.wait(10)
        if 3 in items:
            raise BadInput("3 is bad")
        return list(items)

    batcher = Batcher(work, size=8)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(batcher, 0)]
        first.wait(10)
        futures += [pool.submit(batcher, number) for number in range(1, 6)]
        while len(batcher._queue) < 5:
            time.sleep(0.001)
        gate.set()
        for number, future in enumerate(futures):
            if number == 3:
                with pytest.raises(BadInput):
                    future.result()
            else:
                assert future.result() == number


def test_a_full_queue_is_said_at_once() -> None:
    gate = threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        gate.wait(10)
        return list(items)

    batcher = Batcher(work, size=1, waiting=1)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(batcher, 0)]
        while not batcher._busy or batcher._queue:
            time.sleep(0.001)
        futures.append(pool.submit(batcher, 1))
        while not batcher._queue:
            time.sleep(0.001)
        with pytest.raises(Overloaded):
            batcher(2)
        gate.set()
        assert [future.result() for future in futures] == [0, 1]


def test_whoever_gives_up_waiting_stops_nobody() -> None:
    gate = threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        gate.wait(10)
        return list(items)

    async def many() -> list[Any]:
        workers = Workers(threads=4, waiting=10, time_limit_s=10)
        batcher = Batcher(work, size=1)
        tasks = [
            asyncio.create_task(workers.run(lambda n=number: batcher(n), time_limit_s=limit))  # type: ignore[misc]
            for number, limit in enumerate([10, 0.2, 10])
        ]
        await asyncio.sleep(0.5)
        gate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        workers.close()
        return found

    first, given_up, last = asyncio.run(many())
    assert (first, last) == (0, 2)
    assert isinstance(given_up, TimedOut)


def test_work_knows_how_much_time_is_left() -> None:
    async def ask() -> float | None:
        workers = Workers(threads=1, waiting=0, time_limit_s=5)
        left = await workers.run(remaining_s)
        workers.close()
        return left

    left = asyncio.run(ask())
    assert left is not None
    assert 4 < left <= 5
    assert remaining_s() is None


def test_batches_give_the_very_vectors() -> None:
    embedder = create("builtin")
    front = batched(embedder, size=8, wait_s=0.005, waiting=100)
    images = [picture(seed) for seed in range(24)]
    with ThreadPoolExecutor(12) as pool:
        rows = list(pool.map(lambda image: front.embed([image])[0], images))
    np.testing.assert_allclose(np.stack(rows), embedder.embed(images), atol=1e-6)
    assert front.images.items == 24
    assert front.images.batches < 24


# -- settings ---------------------------------------------------------------------------------------------------------


def test_layers_of_settings(tmp_path: Path) -> None:
    file = tmp_path / "serve.toml"
    file.write_text('port = 1\nworkers = 2\nmax_k = 5\n[collections]\na = "/a"\n', encoding="utf-8")
    environment = {"LOOKALIKE_SERVE_PORT": "2", "LOOKALIKE_SERVE_WORKERS": "3", "LOOKALIKE_SERVE_CORS_ORIGINS": "x, y"}
    found = load_settings(file=str(file), environment=environment, flags={"port": 3, "host": None})
    assert (found.port, found.workers, found.max_k, found.host) == (3, 3, 5, "127.0.0.1")
    assert found.collections == {"a": "/a"}
    assert found.cors_origins == ("x", "y")


@pytest.mark.parametrize(
    ("text", "environment", "words"),
    [
        ("prot = 1", {}, "Did you mean 'port'"),
        ('port = "many"', {}, "port"),
        ("port = 99999", {}, "65535"),
        ("port = -1", {}, "at least 0"),
        ("= 1", {}, "no TOML"),
        ('originals = "all"', {}, "originals"),
        ('[collections]\n"a/b" = "x"', {}, "name a collection"),
        ("", {"LOOKALIKE_SERVE_PROT": "1"}, "LOOKALIKE_SERVE_PORT"),
    ],
)
def test_what_is_wrong_with_settings(tmp_path: Path, text: str, environment: dict[str, str], words: str) -> None:
    file = tmp_path / "serve.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=words):
        load_settings(file=str(file), environment=environment)
    with pytest.raises(BadInput, match="no configuration file"):
        load_settings(file=str(tmp_path / "none.toml"), environment={})


def test_the_default_settings_are_sound() -> None:
    Settings().check_binding()


def test_searches_of_several_threads_give_what_each_gives_alone(folder: Path) -> None:
    import lookalike

    with lookalike.open(folder) as photos:
        ids = [record.id for record in photos]
        alone = {(id, k): [(hit.id, hit.score) for hit in photos.search(f"id:{id}", k)] for id in ids for k in (1, 5)}
        gathered = GatheredSearch(size=8, waiting=100)
        photos.ask_index_by(gathered)
        with ThreadPoolExecutor(12) as pool:
            for _ in range(5):
                found = pool.map(
                    lambda key: [(hit.id, hit.score) for hit in photos.search(f"id:{key[0]}", key[1])], alone
                )
                assert dict(zip(alone, found, strict=True)) == alone
    assert gathered.searches.batches < gathered.searches.items == 5 * len(alone)
