"""What the content filter catches is blurred until somebody presses it, and never among the first pictures."""

from __future__ import annotations

from typing import Any

import pytest

from .acting import found, searched
from .conftest import Site, served

PRICE = 34  # of half of the pictures, at least


@pytest.fixture
def filtered(site: Site, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LOOKALIKE_SERVE_FILTER_FROM", str(PRICE))
    with served("--collection", f"shop={site.collection}", "--filter", "column:price") as address:
        yield address


def test_a_picture_that_was_caught_is_shown_when_it_is_pressed(filtered: str, page: Any) -> None:
    page.goto(f"{filtered}?c=shop")
    page.wait_for_selector(".tile img.here")
    safe = found(page)
    assert safe
    assert not page.query_selector(".veil")
    page.goto(f"{filtered}?c=shop&q=id:kind0-view0.png&k=48")
    ids = searched(page)
    veiled = page.eval_on_selector_all(".tile:has(.veil)", "tiles => tiles.map(tile => tile.dataset.id)")
    assert veiled
    assert set(veiled) < set(ids)
    assert not set(veiled) & set(safe)
    tile = page.locator(f".tile[data-id='{veiled[0]}']")
    button = tile.locator(".picture")
    assert button.get_attribute("aria-label") == "Hidden: it may be unsafe. Press to show."
    assert "blur" in tile.locator("img").evaluate("image => getComputedStyle(image).filter")
    before = page.url
    button.click()
    assert tile.locator("img").evaluate("image => getComputedStyle(image).filter") == "none"
    assert tile.locator(".veil").count() == 0
    assert page.url == before  # the first press shows it, the second searches on from it
    button.click()
    page.wait_for_url(f"**q=id%3A{veiled[0]}*")
