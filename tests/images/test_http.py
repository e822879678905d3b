"""Against a real server on the loopback interface that behaves as badly as servers do."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lookalike.errors import BadInput, FetchFailed, ImageError, ImageTooLarge
from lookalike.images import FetchLimits, Item, fetch, read_source, scan

PICTURE = bytes(range(256)) * 300
TEN_GB = 10_000_000_000
# What runs into a limit of time soon does; what should not has time even on a machine that is busy with other things.
QUICK = FetchLimits(max_bytes=200_000, timeout_s=0.7, total_s=1.5, max_redirects=3)
PATIENT = FetchLimits(max_bytes=200_000, timeout_s=30, total_s=60, max_redirects=3)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))  # type: ignore[attr-defined]
        with suppress(ConnectionError):
            getattr(self, self.path.split("/")[1].partition("?")[0])()

    def give(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def picture(self) -> None:
        self.give(PICTURE, Content_Type="image/jpeg")

    def untyped(self) -> None:
        self.give(PICTURE)

    def chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(PICTURE), 1000):
            self.chunk(PICTURE[start : start + 1000])
        self.chunk(b"")

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def gzipped(self) -> None:
        self.give(gzip.compress(PICTURE), Content_Encoding="gzip")

    def bomb(self) -> None:
        self.give(gzip.compress(bytes(50_000_000)), Content_Encoding="gzip")

    def missing(self) -> None:
        self.give(b"<h1>no</h1>", 404, Content_Type="text/html")

    def empty(self) -> None:
        self.give(b"")

    def page(self) -> None:
        self.give(b"<html><img src=x.jpg></html>", Content_Type="text/HTML; charset=utf-8")

    def once(self) -> None:
        self.give(b"", 302, Location="/picture")

    def loop(self) -> None:
        self.give(b"", 302, Location="/loop")

    def elsewhere(self) -> None:
        self.give(b"", 302, Location="file:///etc/passwd")

    def nowhere(self) -> None:
        self.give(b"", 302, Location="http:///x.jpg")

    def silent(self) -> None:
        self.server.released.wait(5)  # type: ignore[attr-defined]

    def huge(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(TEN_GB))
        self.end_headers()
        self.flood()

    def endless(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(TEN_GB // 100_000):
            self.chunk(bytes(100_000))
            self.server.sent += 100_000  # type: ignore[attr-defined]

    def flood(self) -> None:
        for _ in range(TEN_GB // 100_000):
            self.wfile.write(bytes(100_000))
            self.server.sent += 100_000  # type: ignore[attr-defined]

    def broken(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(PICTURE)))
        self.end_headers()
        self.wfile.write(PICTURE[:1000])
        self.close_connection = True

    def drip(self) -> None:  # each byte comes in time, the whole never
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.slowly()

    def drip_without_length(self) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.slowly()
        self.close_connection = True

    def drip_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self.slowly()

    def slowly(self) -> None:
        for _ in range(100):
            self.wfile.write(b"x")
            if self.server.released.wait(0.1):  # type: ignore[attr-defined]
                return

    def garbage(self) -> None:
        self.wfile.write(b"this is not HTTP\r\n\r\n")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, str]] = []
        self.sent = 0
        self.released = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up is what these tests are about

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["picture", "untyped", "chunked", "gzipped", "once"])
def test_the_bytes_arrive(server: Server, path: str) -> None:
    assert fetch(server.url + path, limits=PATIENT) == PICTURE
    assert server.asked[0]["User-Agent"].startswith("lookalike/")


def test_an_empty_answer_is_left_to_the_decoder(server: Server) -> None:
    assert fetch(server.url + "empty", limits=PATIENT) == b""


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing", r"answered 404 Not Found"),
        ("page", r"gives a web page, not an image \(text/html\)"),
        ("loop", r"redirects more than 3 times"),
        ("elsewhere", r"leads to 'file:.*/etc/passwd', which is no http"),
        ("nowhere", r"nowhere"),
        ("silent", r"did not answer within 0\.7 s"),
        ("broken", r"cannot fetch .*(1000|incomplete|closed)"),
        ("drip", r"took longer than 1\.5 s"),
        ("drip_without_length", r"took longer than 1\.5 s"),
        ("drip_headers", r"took longer than 1\.5 s"),
        ("garbage", r"cannot fetch"),
    ],
)
def test_what_goes_wrong_is_said_with_the_address(server: Server, path: str, message: str) -> None:
    begun = time.monotonic()
    with pytest.raises(FetchFailed, match=message) as caught:
        fetch(server.url + path, limits=QUICK)
    assert server.url + path in str(caught.value)
    assert time.monotonic() - begun < 8  # the server would keep us for 10 s


@pytest.mark.parametrize("path", ["huge", "endless", "bomb"])
def test_ten_gigabytes_are_not_read(server: Server, path: str) -> None:
    with pytest.raises(ImageTooLarge, match=r"the limit of 200,000") as caught:
        fetch(server.url + path, limits=PATIENT)
    assert server.url + path in str(caught.value)
    if path == "huge":
        assert "10,000,000,000" in str(caught.value)
    assert server.sent < 50_000_000  # what the buffers of the two sockets hold, at most


def test_one_byte_over_the_limit(server: Server) -> None:
    exactly = FetchLimits(max_bytes=len(PICTURE), timeout_s=30)
    assert fetch(server.url + "chunked", limits=exactly) == PICTURE
    with pytest.raises(ImageTooLarge):
        fetch(server.url + "chunked", limits=FetchLimits(max_bytes=len(PICTURE) - 1, timeout_s=30))


def test_nobody_listens() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(FetchFailed, match=f"127.0.0.1:{port}"):
        fetch(f"http://127.0.0.1:{port}/x.jpg", limits=QUICK)


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1", "http://a b/", "ftp://host/x", "http://x:99999/", "file:///etc/passwd", "x\0"]
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(FetchFailed):
        fetch(url, limits=QUICK)


def test_a_password_is_not_repeated(server: Server) -> None:
    url = server.url.replace("//", "//me:secret@") + "missing"
    with pytest.raises(FetchFailed) as caught:
        fetch(url, limits=QUICK)
    assert "secret" not in str(caught.value)
    assert server.asked[0]["Authorization"].startswith("Basic ")


def test_a_url_is_a_source(server: Server) -> None:
    url = server.url + "picture?x=1#y"
    (item,) = scan(url, limits=PATIENT)
    assert isinstance(item, Item)
    assert (item.id, item.root, item.source, item.stamp) == (url, "", url, None)
    assert server.asked == []  # nothing is fetched before it is read
    assert item.read() == read_source(url, limits=PATIENT) == PICTURE


def test_threads_fetch_side_by_side(server: Server) -> None:
    done: list[bytes | ImageError] = []

    def work(path: str) -> None:
        try:
            done.append(fetch(server.url + path, limits=QUICK if path == "drip" else PATIENT))
        except ImageError as error:
            done.append(error)

    threads = [threading.Thread(target=work, args=(path,)) for path in ["drip", "picture"] * 4]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answer == PICTURE for answer in done) == 4
    assert sum(isinstance(answer, FetchFailed) for answer in done) == 4
    assert time.monotonic() - begun < 4 * QUICK.total_s  # four drips one after the other would take longer


def test_limits_must_make_sense() -> None:
    with pytest.raises(BadInput):
        FetchLimits(max_bytes=0)
    with pytest.raises(BadInput):
        FetchLimits(max_redirects=-1)
