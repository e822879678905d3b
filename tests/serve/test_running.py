"""The server as people run it: a process, a port, signals, several workers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import lookalike
from pictures import write_pictures
from server_process import Running, serving, workers_of
from serving import item, query

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def test_it_says_its_address_serves_and_ends_with_ctrl_c(folder: Path) -> None:
    with serving(folder) as server:
        assert server.client.get("/readyz").json()["collections"] == {"photos": "ok"}
        assert server.search().json()["hits"][0]["id"] == "picture-0001.png"
        assert server.client.get("/").headers["content-type"].startswith("text/html")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
    log = "".join(server.lines)
    assert "POST /v1/collections/photos/search 200" in log
    assert "Traceback" not in log


def test_a_slow_request_is_finished_before_the_end(folder: Path) -> None:
    with serving(folder) as server:
        host, port = re.findall(r"//(.+):(\d+)", server.url)[0]
        body = json.dumps(query(item("id", "picture-0001.png"))).encode()
        head = f"POST /v1/collections/photos/search HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body[:5])
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            connection.sendall(body[5:])  # the rest comes after the signal
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert b"HTTP/1.1 200" in answer
        server.process.wait(20)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "no keys"),
        (["--api-keys", "none.toml"], "no file of keys"),
        (["--config", "none.toml"], "no configuration file"),
        (["--collection", "photos=elsewhere"], "two collections"),
        (["--collection", "other=nowhere"], "no collection at"),
        (["--root-path", "images"], "slash"),
    ],
)
def test_what_it_cannot_start_with_is_one_sentence(folder: Path, words: list[str], said: str) -> None:
    command = [sys.executable, "-m", "lookalike", "serve", "--collection", f"photos={folder}", "--port", "0", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        command = [sys.executable, "-m", "lookalike", "serve", "--collection", str(folder)]
        done = subprocess.run([*command, "--port", str(other.getsockname()[1])], capture_output=True, text=True)
    assert done.returncode == 2
    assert "cannot listen" in done.stderr


def test_a_swap_fails_no_request(folder: Path, tmp_path: Path) -> None:
    """The collection is replaced on disk by one with another model, while searches run."""
    other = tmp_path / "other.collection"
    with lookalike.open(other, embedder="color-layout") as photos:
        photos.add(write_pictures(tmp_path / "others", 5, start=500)[0].parent)
    failed: list[str] = []
    seen: set[int] = set()
    with serving(folder) as server:
        stop = threading.Event()

        def search() -> None:
            vector_free = query(item("text", "picture"), k=100)
            with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
                while not stop.is_set():
                    answer = client.post("/v1/collections/photos/search", json=vector_free)
                    if answer.status_code != 200:
                        failed.append(answer.text)
                    else:
                        seen.add(len(answer.json()["hits"]))

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        folder.rename(tmp_path / "old.collection")
        other.rename(folder)
        answer = server.client.post("/v1/collections/photos/reload")
        assert answer.status_code == 200, answer.text
        assert answer.json()["space"] == "color-layout"
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
    assert seen == {30, 5}


def test_several_workers_share_a_collection_and_one_that_is_killed_is_replaced(
    folder: Path, pictures: list[Path]
) -> None:
    with serving(folder, "--workers", "2") as server:
        if not Path("/proc/self").exists():
            pytest.skip("needs /proc")

        def put(number: int) -> int:
            with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
                name = f"/v1/collections/photos/records/new-{number}.png"
                return client.put(name, files={"image": pictures[number].read_bytes()}).status_code

        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(_pool(8))
            assert list(pool.map(put, range(16))) == [201] * 16  # writers wait for each other
        # A change that one worker made is seen by every other at once: new connections go to either.
        for _ in range(10):
            with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
                answer = client.post("/v1/collections/photos/search", json=query(item("id", "new-3.png"), k=2))
                assert answer.json()["hits"][0]["score"] == pytest.approx(1.0)
        count = 0
        text = server.client.get("/metrics").text
        for line in text.splitlines():
            if line.startswith("lookalike_request_seconds_count") and 'method="PUT"' in line:
                count += int(float(line.split()[-1]))
        assert count == 16  # added up over both
        workers = workers_of(server)
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        _until_replaced(server, workers[0])
        for _ in range(10):
            with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
                assert client.get("/v1/collections/photos/records/new-3.png").status_code == 200


def _until_replaced(server: Running, worker: int) -> None:
    """Wait until there are two workers, and this one is none of them."""
    deadline = time.monotonic() + 30
    while len(now := workers_of(server)) < 2 or worker in now:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _pool(threads: int) -> Any:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(threads)


class Writes:
    """Threads that store pictures until their server is gone, and what it acknowledged."""

    def __init__(self, pictures: list[Path]) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self._pictures = pictures
        self._stop = threading.Event()

    @contextlib.contextmanager
    def into(self, server: Running, name: str, *, threads: int = 4) -> Iterator[None]:
        """Write while the block runs, from several connections."""
        self._stop.clear()
        at_work = [threading.Thread(target=self._write, args=(server, f"{name}-t{each}")) for each in range(threads)]
        for thread in at_work:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in at_work:
                thread.join()

    def _write(self, server: Running, name: str) -> None:
        client = server.connect()
        for number in range(1000):
            if self._stop.is_set():
                break
            id = f"{name}-{number}.png"
            data = self._pictures[number % len(self._pictures)].read_bytes()
            try:
                answer = client.put(f"/v1/collections/photos/records/{id}", files={"image": data})
            except httpx.HTTPError:  # its worker was killed: what is unanswered may or may not be there
                client.close()
                client = server.connect()
                time.sleep(0.02)
                continue
            if answer.status_code == 201:
                self.acknowledged.append(id)
            else:
                self.refused.append(f"{id}: {answer.status_code} {answer.text}")
        client.close()

    def check(self, folder: Path) -> None:
        """Compare with what is in the collection: records, their files and their vectors."""
        with lookalike.open(folder) as photos:
            missing = [id for id in self.acknowledged if id not in photos]
            assert missing == []
            for id in self.acknowledged[:: max(1, len(self.acknowledged) // 20)]:
                record = photos.get(id)
                assert record is not None
                assert Path(record.source).is_file()  # its picture is there as well
                assert photos.search(f"id:{id}", 1)[0].score == pytest.approx(1.0)


@pytest.mark.slow
def test_kill_9_loses_nothing_that_was_acknowledged(folder: Path, pictures: list[Path]) -> None:
    writes = Writes(pictures)
    for round_ in range(8):
        with serving(folder) as server, writes.into(server, f"r{round_}"):
            time.sleep(0.4 + 0.13 * round_)
            server.process.kill()
            time.sleep(0.05)
    assert len(writes.acknowledged) > 50
    writes.check(folder)


@pytest.mark.slow
def test_kill_9_of_a_worker_loses_nothing_and_the_others_go_on(folder: Path, pictures: list[Path]) -> None:
    """Killed in the middle of a write, while it holds the lock of the one that writes; the next gets it."""
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc")
    writes = Writes(pictures)
    with serving(folder, "--workers", "2") as server:
        for round_ in range(6):
            with writes.into(server, f"r{round_}"):
                time.sleep(0.5 + 0.11 * round_)
                victim = workers_of(server)[round_ % 2]
                os.kill(victim, signal.SIGKILL)
                before = len(writes.acknowledged)
                time.sleep(1.0)
                assert len(writes.acknowledged) > before  # by the worker that is left
                _until_replaced(server, victim)
        for id in writes.acknowledged[::10]:  # the new workers know what the dead ones wrote
            with server.connect() as client:
                assert client.get(f"/v1/collections/photos/records/{id}").status_code == 200
    assert writes.refused == []
    assert len(writes.acknowledged) > 100
    writes.check(folder)
