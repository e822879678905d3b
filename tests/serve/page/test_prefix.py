"""Behind a proxy path the page asks for nothing outside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from .acting import searched
from .conftest import Site, served


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    with served("--collection", f"shop={site.collection}", "--root-path", "/photos") as address:
        yield f"{address}photos"


def test_search_by_a_file_and_on_from_a_result(address: str, page: Any, site: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_selector(".tile img.here")
    assert page.url.startswith(f"{address}/")
    page.set_input_files("#file", site.pictures / "kind3-view1.png")
    assert searched(page)[0] == "kind3-view1.png"
    page.locator(".tile[data-id='kind3-view2.png'] .picture").click()
    page.wait_for_url("**q=id%3Akind3-view2.png*")
    assert searched(page)[0] == "kind3-view2.png"
    page.wait_for_selector(".tile img.here")
    paths = {urlsplit(url).path for url in asked if url.startswith("http")} - {"/photos"}
    assert {path for path in paths if not path.startswith("/photos/")} == set()
    assert any("/thumbnails/" in path for path in paths)
