"""The page in real Chromium, over a server that really runs: `make test-browser`.

Every test is run at the width of a desk and of a phone, in light and in dark.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import IO, Any

import pytest

import lookalike
from pictures import kind_and_view

KINDS, VIEWS = 12, 4
CHROMIUM = next((path for path in map(which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-device-for-media-stream",  # a camera that shows a test picture
    "--use-fake-ui-for-media-stream",
]
LOOKS: dict[str, dict[str, Any]] = {
    "desk-light": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"},
    "desk-dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "phone-light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True},
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None and config.option.markexpr != "browser":
                item.add_marker(pytest.mark.skip(reason="needs Chromium: make test-browser"))


@dataclass(frozen=True)
class Site:
    """A server, the pictures that it holds, and its collection."""

    address: str
    pictures: Path
    collection: Path


@contextmanager
def served(*words: str) -> Iterator[str]:
    """Run `lookalike serve` on a free port of the loopback, and give its address."""
    command = [sys.executable, "-m", "lookalike", "serve", "--port", "0", *words]
    with tempfile.TemporaryFile("w+") as said:  # a pipe that nobody empties would stop the server
        server = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        try:
            yield _address(server, said)
        finally:
            server.terminate()
            server.wait(timeout=30)


def _address(server: subprocess.Popen[bytes], said: IO[str]) -> str:
    for _ in range(600):
        said.seek(0)
        text = said.read()
        if found := re.search(r"serves (http://[\w.:]+)", text):
            return found[1] + "/"
        if server.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"the server did not start: {text}")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("page")
    labels = kind_and_view(KINDS, VIEWS, folder / "pictures")
    with (folder / "pictures" / "list.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["path", "kind", "price"])
        lines.writerows([name, kind, 10 + place] for place, (name, kind) in enumerate(labels.items()))
    with lookalike.open(folder / "shop.collection") as shop:
        shop.add(folder / "pictures" / "list.csv")
    with lookalike.open(folder / "empty.collection"):
        pass
    words = (f"shop={folder / 'shop.collection'}", f"empty={folder / 'empty.collection'}")
    with served("--collection", words[0], "--collection", words[1]) as address:
        yield Site(address, folder / "pictures", folder / "shop.collection")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.fail("no Chromium was found; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    return LOOKS[request.param]


@pytest.fixture
def page(chromium: Any, look: dict[str, Any], site: Site, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A fresh window; the test fails where the page logs an error or asks another host for anything.

    With LOOKALIKE_SCREENSHOTS=FOLDER a picture of how each test ended is left there, to be looked at.
    """
    context = chromium.new_context(locale="en-GB", **look)
    page = context.new_page()
    page.set_default_timeout(10_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda asked: wrong.append(f"asked {asked.url}") if _outside(asked.url) else None)
    yield page
    if folder := os.environ.get("LOOKALIKE_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{request.node.name}.png"))
    context.close()
    allowed = request.node.get_closest_marker("allowed_error")
    assert [each for each in wrong if not (allowed and re.search(allowed.args[0], each))] == []


def _outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:"))
