"""Ten thousand hostile uploads to a server that really runs: none fails inside it, none hangs, nothing stays behind."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

import lookalike
from hostile import hostile, originals
from server_process import Running, serving

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="signals")]

SEARCHES, RECORDS = 7_000, 3_300
CLIENTS = 6
HANGS_S = 30.0  # with a machine that others use; most are answered in milliseconds


class Answered(NamedTuple):
    """What came of an upload."""

    number: int
    how: str
    status: int
    seconds: float
    text: str


@pytest.fixture(scope="module")
def files() -> Mapping[str, bytes]:
    awkward = Path(__file__).resolve().parents[3] / "shared" / "data" / "decoding"
    return originals(awkward if awkward.is_dir() else None)


def send(server: Running, numbers: range, files: Mapping[str, bytes], *, records: bool) -> list[Answered]:
    """Send the uploads of these numbers over a few connections at once."""

    def some(first: int) -> list[Answered]:
        answers = []
        with server.connect() as client:
            for number in numbers[first::CLIENTS]:
                upload = hostile(number, files)
                method, path = ("PUT", f"records/h-{number}") if records else ("POST", "search")
                begin = time.monotonic()
                try:
                    found = client.request(
                        method,
                        f"/v1/collections/photos/{path}",
                        content=upload.body,
                        headers=dict(upload.headers),
                        timeout=HANGS_S,
                    )
                    status, text = found.status_code, found.text[:300] if found.status_code >= 400 else ""
                except httpx.HTTPError as error:
                    status, text = 0, repr(error)
                answers.append(Answered(number, upload.how, status, time.monotonic() - begin, text))
        return answers

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [answer for part in pool.map(some, range(CLIENTS)) for answer in part]


def check(answers: list[Answered]) -> None:
    """No answer is one of a server that failed, each that refuses says why, and there are both kinds."""
    failed = [answer for answer in answers if not 200 <= answer.status < 500]
    assert failed == []
    silent = [each for each in answers if each.status >= 400 and '"message"' not in each.text]
    assert silent == []
    good = sum(answer.status < 300 for answer in answers)
    assert len(answers) // 10 < good < len(answers) * 9 // 10  # neither all refused nor hardly anything tried


def test_searches(folder: Path, files: Mapping[str, bytes]) -> None:
    with serving(folder) as server:
        before = server.search().json()["hits"]
        answers = send(server, range(SEARCHES), files, records=False)
        after = server.search().json()["hits"]
    check(answers)
    assert len(answers) == SEARCHES
    assert after == before
    assert "Traceback" not in "".join(server.lines)


def test_records(folder: Path, files: Mapping[str, bytes]) -> None:
    """What was acknowledged is there with its file; of what was refused there is neither record nor file."""
    with lookalike.open(folder) as photos:
        before = {record.id for record in photos}
    with serving(folder) as server:
        answers = send(server, range(SEARCHES, SEARCHES + RECORDS), files, records=True)
        assert server.search().json()["hits"][0]["id"] == "picture-0001.png"
    check(answers)
    assert len(answers) == RECORDS
    assert "Traceback" not in "".join(server.lines)
    with lookalike.open(folder) as photos:
        added = {record.id for record in photos} - before
        assert added == {f"h-{answer.number}" for answer in answers if answer.status == 201}
        kept = {str(file) for file in (folder / "uploads").glob("*/*")}
        assert kept == {record.source for record in map(photos.get, added) if record is not None}


RAW = {
    "a body that never ends": b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n" + b"x" * 1000,
    "a size that is no number": b"Transfer-Encoding: chunked\r\n\r\nzz\r\nxx\r\n0\r\n\r\n",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a length that is no number": b"Content-Length: 1e3\r\n\r\n",
    "two lengths": b"Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc",
    "a length and chunks": b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "less than was said": b"Content-Length: 5000\r\n\r\n--limit\r\n",
    "more than is taken": b"Content-Length: 99999999999999999999\r\n\r\n",
    "an unknown encoding": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "packed": b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
    "no end of headers": b"X: " + b"y" * 200_000,
    "headers folded over lines": b"X: y\r\n z\r\nContent-Length: 0\r\n\r\n",
    "a NUL in a header": b"X: \0\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("headers", RAW.values(), ids=RAW)
def test_requests_that_are_none(folder: Path, headers: bytes) -> None:
    with serving(folder) as server:
        host, port = re.findall(r"//(.+):(\d+)", server.url)[0]
        head = f"POST /v1/collections/photos/search HTTP/1.1\r\nHost: {host}\r\n"
        head += "Content-Type: multipart/form-data; boundary=limit\r\n"
        with socket.create_connection((host, int(port)), timeout=HANGS_S) as connection:
            connection.sendall(head.encode() + headers)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))  # ends: it is no hang
        assert re.match(rb"(HTTP/1.1 4\d\d .*)?$", answer.partition(b"\r\n")[0]), answer
        assert server.search().status_code == 200
    assert "Traceback" not in "".join(server.lines)
