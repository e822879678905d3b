"""Requests are sent again where that does no harm, after the pause that the server asks for."""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live import Act, Flaky, live
from lookalike.client import AsyncClient, Client
from lookalike.client.calls import Call
from lookalike.client.retrying import FIRST_S, MOST_S, Failure, Retries, retry_after_s
from lookalike.errors import (
    BadInput,
    LookalikeError,
    NotFound,
    Overloaded,
    ServerFailed,
    TimedOut,
    TooManyRequests,
    Unreachable,
)

SEARCH = "POST /v1/collections/photos/search"


def body(code: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": "no.", "hint": "later."}}).encode()


BUSY: Act = (503, "", body("overloaded"))


@pytest.fixture
def server(url: str) -> str:
    return url.removesuffix("/photos")


def test_a_server_that_is_busy_twice(server: str) -> None:
    with Flaky(server, [BUSY, BUSY]) as flaky, Client(flaky.url, "photos") as client:
        assert client.search("id:picture-0001.png", 1)[0].id == "picture-0001.png"
        assert flaky.seen == [SEARCH] * 3


def test_the_same_for_the_asynchronous_client(server: str) -> None:
    async def one(url: str) -> str:
        async with AsyncClient(url, "photos") as client:
            return (await client.search("id:picture-0001.png", 1))[0].id

    with Flaky(server, [BUSY, "drop before"]) as flaky:
        assert asyncio.run(one(flaky.url)) == "picture-0001.png"
        assert flaky.seen == [SEARCH] * 3


def test_the_pause_that_the_server_asks_for(server: str) -> None:
    script: list[Act] = [(429, "1", body("too_many_requests"))]
    with Flaky(server, script) as flaky, Client(flaky.url, "photos") as client:
        assert len(client.search("id:picture-0001.png")) == 20
        assert flaky.when[1] - flaky.when[0] >= 1.0


def test_a_pause_that_is_too_long_is_the_callers_business(server: str) -> None:
    script: list[Act] = [(429, "3600", body("too_many_requests"))]
    with Flaky(server, script) as flaky, Client(flaky.url, "photos") as client:
        with pytest.raises(TooManyRequests) as refused:
            client.search("id:picture-0001.png")
        assert refused.value.retry_after_s == 3600
        assert len(flaky.seen) == 1


def test_it_gives_up_in_the_end(server: str) -> None:
    with Flaky(server, [BUSY] * 9) as flaky, Client(flaky.url, "photos", retries=2) as client:
        with pytest.raises(Overloaded, match=r"no\. later\."):
            client.search("id:picture-0001.png")
        assert len(flaky.seen) == 3


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        ((500, "", body("internal")), ServerFailed),
        ((504, "", body("timed_out")), TimedOut),  # it may still be at it
        ((404, "", b"<html>"), NotFound),
        ((418, "", b"tea"), ServerFailed),
        ((200, "", b'{"hits": 1}'), ServerFailed),
        ((200, "", b"<html>hello"), ServerFailed),
        ((302, "", b""), NotFound),
        ((400, "", b'{"error": {"code": "unheard_of", "message": "so.", "hint": ""}}'), BadInput),
    ],
)
def test_what_will_not_get_better_is_not_tried_again(server: str, act: Act, kind: type[LookalikeError]) -> None:
    with Flaky(server, [act]) as flaky, Client(flaky.url, "photos") as client:
        with pytest.raises(kind):
            client.search("id:picture-0001.png")
        assert len(flaky.seen) == 1


def test_a_proxy_whose_server_is_gone_for_the_moment(server: str) -> None:
    script: list[Act] = [(502, "", b"<html>Bad Gateway"), (503, "", b"<html>")]
    with Flaky(server, script) as flaky, Client(flaky.url, "photos") as client:
        assert len(client.search("id:picture-0001.png")) == 20
        assert len(flaky.seen) == 3


def test_nothing_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}/photos", retries=1) as client, pytest.raises(Unreachable, match=str(port)):
        client.search("text:x")


def test_an_answer_that_does_not_come() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/photos"
        with Client(url, retries=0, timeout_s=0.2) as client, pytest.raises(TimedOut, match="in time"):
            client.search("text:x")


@pytest.fixture
def writable(folder: Path, tmp_path: Path) -> Iterator[str]:
    with live({"photos": folder}, import_roots=[str(tmp_path)]) as url:
        yield url


def test_a_write_whose_answer_was_lost_is_done_once(writable: str, pictures: list[Path]) -> None:
    """Storing an image under an id twice is storing it once, and it counts as added once."""
    with (
        Flaky(writable, ["pass", "drop after"]) as flaky,
        Client(flaky.url, "photos") as client,
    ):
        report = client.add_images([pictures[0].read_bytes()], ids=["new.png"])
        assert (report.added, report.replaced) == (1, 0)
        assert flaky.seen[1:] == ["POST /v1/collections/photos/records"] * 2
        assert len(client) == 31


def test_a_removal_whose_answer_was_lost(writable: str) -> None:
    with Flaky(writable, ["drop after"]) as flaky, Client(flaky.url, "photos") as client:
        client.remove("picture-0001.png")
        assert client.get("picture-0001.png") is None
        assert len(client) == 29


def test_a_job_is_not_started_twice(writable: str, tmp_path: Path) -> None:
    with Flaky(writable, ["drop after"]) as flaky, Client(flaky.url, "photos") as client:
        with pytest.raises(Unreachable, match="broke"):
            client.start_job(str(tmp_path))
        assert len(client.jobs()) == 1
    proxy: list[Act] = [(502, "", b""), (503, "", b"")]  # who knows what the server behind it did
    with Flaky(writable, proxy) as flaky, Client(flaky.url, "photos") as client:
        for _ in range(2):
            with pytest.raises(LookalikeError):
                client.start_job(str(tmp_path))
        assert len(flaky.seen) == 2


def test_a_job_that_the_server_refused_is_started_later(writable: str, tmp_path: Path) -> None:
    with Flaky(writable, [BUSY]) as flaky, Client(flaky.url, "photos") as client:
        job = client.start_job(str(tmp_path))
        assert len(flaky.seen) == 2
        assert [each.id for each in client.jobs()] == [job.id]
        end = time.monotonic() + 30
        while client.job(job.id).state not in ("done", "failed"):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert client.job(job.id).state == "done"


@given(attempt=st.integers(0, 9), after=st.none() | st.floats(0, 30))
def test_pauses(attempt: int, after: float | None) -> None:
    failure = Failure(Overloaded("busy."), passing=True, untouched=True, after_s=after)
    pause = Retries(most=10, longest_wait_s=30).pause_s(Call("GET", "/"), attempt, failure)
    longest = min(MOST_S, FIRST_S * 2**attempt)
    assert pause >= (after or 0)
    assert pause == after or longest / 2 <= pause <= longest


@given(seconds=st.integers(-1000, 100_000))
def test_retry_after_as_a_date(seconds: int) -> None:
    date = email.utils.formatdate(time.time() + seconds, usegmt=True)
    assert retry_after_s(date) == pytest.approx(max(0, seconds), abs=2)


def test_retry_after_that_says_nothing() -> None:
    assert [retry_after_s(text) for text in ("", "soon", "-1", "7")] == [None, None, None, 7.0]


def test_a_long_pause_is_told(server: str, caplog: pytest.LogCaptureFixture) -> None:
    script: list[Act] = [(503, "1", body("overloaded"))]
    with (
        caplog.at_level(logging.INFO, "lookalike.client"),
        Flaky(server, script) as flaky,
        Client(flaky.url, "photos") as client,
    ):
        client.search("id:picture-0001.png", 1)
    assert caplog.messages == ["no. Trying again in 1 s."]


def test_retries_are_not_negative() -> None:
    with pytest.raises(BadInput, match="retries"):
        Client("http://127.0.0.1/photos", retries=-1)
