"""URLs that strangers give lead nowhere into the server's own network."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lookalike.errors import FetchFailed, ImageTooLarge
from lookalike.serve import Settings
from lookalike.serve.fetching import Fetcher, is_public
from serving import Start, item, query

HOME = ("127.0.0.0/8",)


class Site(ThreadingHTTPServer):
    """A web server on the loopback that notes what it was asked for."""

    def __init__(self, picture: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.picture = picture
        self.seen: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.seen.append((self.headers["Host"], self.path))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if self.path == "/page" else "image/png")
        self.send_header("Content-Length", str(len(self.server.picture)))
        self.end_headers()
        self.wfile.write(self.server.picture)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def site(pictures: list[Path]) -> Iterator[Site]:
    server = Site(pictures[3].read_bytes())
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def refused() -> Iterator[None]:
    with pytest.raises(FetchFailed, match=r"public network|no address|cannot fetch"):
        yield


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",  # 127.0.0.1 as one number
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",  # octal
        "017700000001",
        "0.0.0.0",
        "0",
        "localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",  # NAT64
        "[2002:7f00:1::]",  # 6to4
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",  # metadata of clouds
        "100.64.0.1",  # shared addresses of carriers
        "100.100.100.200",
        "192.0.0.192",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "①②⑦.⓪.⓪.①",  # digits that IDNA makes plain
    ],
)
def test_no_notation_of_a_private_address_is_fetched(host: str, site: Site) -> None:
    with refused():
        Fetcher(Settings())(f"http://{host}:{site.server_address[1]}/x.png")
    assert site.seen == []


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


def test_an_allowed_network_is_reached_and_the_name_is_kept(site: Site) -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    port = site.server_address[1]
    fetch = Fetcher(Settings(fetch_networks=HOME), resolve=resolve)
    assert fetch(f"http://pictures.example:{port}/x.png") == site.picture
    assert site.seen == [(f"pictures.example:{port}", "/x.png")]  # virtual hosts still work


def test_a_name_with_one_private_address_among_public_ones(site: Site) -> None:
    with refused():
        Fetcher(Settings(), resolve=lambda host, port: ["93.184.216.34", "127.0.0.1"])(
            f"http://two.example:{site.server_address[1]}/x.png"
        )
    assert site.seen == []


def test_a_name_that_changes_its_address_gains_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: public when it is checked, the loopback when the connection is made."""
    asked: list[str] = []
    connected: list[Any] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["203.0.113.7"] if len(asked) == 1 else ["127.0.0.1"]

    def connect(address: Any, *args: Any, **more: Any) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("lookalike.serve.fetching.is_public", lambda address, allowed=(): address == "203.0.113.7")
    monkeypatch.setattr(socket, "create_connection", connect)
    with refused():
        Fetcher(Settings(), resolve=resolve)(f"http://rebind.example:{site.server_address[1]}/x.png")
    assert asked == ["rebind.example"]  # looked up once
    assert [address[0] for address in connected] == ["203.0.113.7"]  # and that very address was called
    assert site.seen == []


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/x.png", "http://[::1]:{port}/x.png", "http://0/x.png"])
def test_a_redirect_passes_the_same_check(site: Site, target: str) -> None:
    port = site.server_address[1]
    # The first address is allowed, as a public one would be; what it redirects to is not.
    networks = ("127.0.0.2/32",)
    fetch = Fetcher(Settings(fetch_networks=networks), resolve=lambda host, port: _outside(host))
    with refused():
        fetch(f"http://outside.example:{port}/to/{target.format(port=port)}")
    assert [path for _, path in site.seen if path == "/x.png"] == []


def _outside(host: str) -> Sequence[str]:
    return ["127.0.0.2"] if host == "outside.example" else [str(ipaddress.ip_address("127.0.0.1"))]


def test_limits_of_size_type_scheme_and_redirects(site: Site) -> None:
    base = f"http://127.0.0.1:{site.server_address[1]}"
    fetch = Fetcher(Settings(fetch_networks=HOME, max_upload=100))
    with pytest.raises(ImageTooLarge):
        fetch(f"{base}/x.png")
    fetch = Fetcher(Settings(fetch_networks=HOME))
    with pytest.raises(FetchFailed, match="web page"):
        fetch(f"{base}/page")
    with pytest.raises(FetchFailed, match="no http"):
        fetch("file:///etc/passwd")
    with pytest.raises(FetchFailed, match="redirects more than"):
        fetch(base + "/to/" * 8 + "/x.png")
    with pytest.raises(FetchFailed, match="fetches no URLs"):
        Fetcher(Settings(fetch_urls=False))(f"{base}/x.png")


def test_a_proxy_of_the_environment_is_no_way_round(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{site.server_address[1]}")
    with refused():
        Fetcher(Settings())("http://192.168.0.1/x.png")
    assert site.seen == []


def test_a_search_by_url(start: Start, site: Site) -> None:
    port = site.server_address[1]
    with start(fetch_networks=HOME) as client:
        assert client.ids(query(item("url", f"http://127.0.0.1:{port}/x.png")))[0] == "picture-0003.png"
    with start() as client:
        answer = client.search(query(item("url", f"http://127.0.0.1:{port}/x.png")))
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "fetch_failed"
