"""Behind a proxy path: the page and the API work under it, whether the proxy passes the path on or takes it off."""

from __future__ import annotations

import io
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx
import numpy as np
import pytest
from PIL import Image as Pillow
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from lookalike.serve import Settings, create_app
from serving import item, on_loopback, query

ROOT = Path(__file__).resolve().parents[2]
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
PREFIX = "/photos"
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@contextmanager
def passing_on(upstream: str, *, keep: bool) -> Iterator[str]:
    """A small proxy of PREFIX; with ``keep`` it passes the path on as it is, else without the prefix."""

    async def forward(request: Request) -> Response:
        path = request.url.path if keep else request.url.path.removeprefix(PREFIX)
        if not path:
            return RedirectResponse(f"{PREFIX}/")  # what takes off a location that ends in a slash does so itself
        headers = {name: value for name, value in request.headers.items() if name not in HOP}
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.request(
                request.method,
                f"{upstream}{path}",
                params=request.query_params,
                content=await request.body(),
                headers={**headers, "Host": request.headers["host"]},
            )
        kept = {name: value for name, value in answer.headers.items() if name not in HOP | {"content-encoding"}}
        return Response(answer.content, answer.status_code, kept)

    methods = ["GET", "HEAD", "POST", "PUT", "DELETE"]
    with on_loopback(Starlette(routes=[Route(f"{PREFIX}{{rest:path}}", forward, methods=methods)])) as url:
        yield url


@contextmanager
def nginx(upstream: str, folder: Path) -> Iterator[str]:
    """A real nginx with the location that docs/serve.md shows, and the paths that it needs to run by itself."""
    shown = re.search(r"```nginx\n(.*?)```", (ROOT / "docs" / "serve.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    location = shown[1].replace("http://127.0.0.1:8000", upstream)
    assert upstream in location
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder / 'pid'};\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}server {{\nlisten 127.0.0.1:{port};\n{location}\n}}\n}}\n"
    )
    command = [str(NGINX), "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            for _ in range(200):
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(params=["off", "on", "nginx"])
def site(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the proxy; the service behind it is asked by no other way."""
    if request.param == "nginx" and NGINX is None:
        pytest.skip("needs nginx (Debian: apt-get install nginx-light)")
    app = create_app(Settings(collections={"photos": str(folder)}, access_log=False, root_path=PREFIX))
    with on_loopback(app) as upstream:
        way = (
            nginx(upstream, tmp_path) if request.param == "nginx" else passing_on(upstream, keep=request.param == "on")
        )
        with way as url:
            yield url


class Addresses(HTMLParser):
    """What a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = {"link": "href", "script": "src", "img": "src"}.get(tag)
        self.found += [value for name, value in attrs if name == wanted and value]


def test_the_page_and_all_that_it_loads(site: str) -> None:
    with httpx.Client(trust_env=False, follow_redirects=True) as client:
        page = client.get(f"{site}{PREFIX}")  # without the slash its relative addresses would lead elsewhere
        assert str(page.url) == f"{site}{PREFIX}/"
        assert page.headers["content-type"].startswith("text/html")
        addresses = Addresses()
        addresses.feed(page.text)
        assert len(addresses.found) > 3
        scripts = [urljoin(str(page.url), each) for each in addresses.found]
        for address in scripts:  # and the modules that these import
            answer = client.get(address)
            assert answer.status_code == 200, address
            if address.endswith(".js"):
                imports = re.findall(r'from "(\./[^"]+)"', answer.text)
                scripts += [each for each in (urljoin(address, name) for name in imports) if each not in scripts]
        assert any(address.endswith("/photos/api.js") for address in scripts)


def test_the_interface_and_the_addresses_that_it_gives(site: str, pictures: list[Path]) -> None:
    with httpx.Client(trust_env=False, base_url=site) as client:
        answer = client.post(f"{PREFIX}/v1/collections/photos/search", json=query(item("id", "picture-0001.png"), k=2))
        assert answer.status_code == 200, answer.text
        for hit in answer.json()["hits"]:
            for key in ("thumbnail", "link"):
                assert hit[key].startswith(f"{PREFIX}/v1/")
                assert client.get(hit[key]).headers["content-type"] == "image/jpeg"
        uploaded = client.post(
            f"{PREFIX}/v1/collections/photos/search", files={"image": pictures[3].read_bytes()}, data={"k": "1"}
        )
        assert uploaded.json()["hits"][0]["id"] == "picture-0003.png"
        assert client.get(f"{PREFIX}/openapi.json").json()["servers"] == [{"url": PREFIX}]
        assert client.get(f"{PREFIX}/readyz").json()["status"] == "ok"


def test_clip_retrievals_addresses_too(site: str) -> None:
    with httpx.Client(trust_env=False, base_url=site) as client:
        assert client.get(f"{PREFIX}/indices-list").json() == ["photos"]
        (hit,) = client.post(f"{PREFIX}/knn-service", json={"text": "0004", "num_images": 1}).json()
        assert hit["url"].startswith(f"{site}{PREFIX}/v1/collections/photos/images/")
        assert client.get(hit["url"]).headers["content-type"] == "image/jpeg"


def test_large_uploads_pass(site: str, pictures: list[Path]) -> None:
    """nginx takes 1 MB unless told otherwise."""
    data = io.BytesIO()
    Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)).save(data, "PNG")
    assert len(data.getvalue()) > 2_000_000
    with httpx.Client(trust_env=False, base_url=site) as client:
        answer = client.post(f"{PREFIX}/v1/collections/photos/search", files={"image": data.getvalue()})
        assert answer.status_code == 200, answer.text
