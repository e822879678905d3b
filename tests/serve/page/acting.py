"""What a person does on the page, and what is then to be seen."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

__all__ = ["drop", "first_is", "found", "paste", "searched", "tiles", "until"]


def searched(page: Any) -> list[str]:
    """Wait for the results, and return their ids."""
    page.wait_for_selector("[data-state=results] #results:not([aria-busy]) .tile .score")
    return found(page)


def found(page: Any) -> list[str]:
    ids: list[str] = page.eval_on_selector_all("#results .tile", "tiles => tiles.map(tile => tile.dataset.id)")
    return ids


def until(page: Any, expression: str, *, seconds: float = 10) -> None:
    """Wait until an expression of JavaScript is true; Playwright's own way to wait needs a page that allows eval."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        time.sleep(0.03)


def tiles(page: Any, count: int) -> None:
    """Wait until there are so many results."""
    until(page, f"document.querySelectorAll('.tile').length === {count}")


def first_is(page: Any, id: str) -> None:
    """Wait until this is the first result."""
    until(page, f"document.querySelector('.tile')?.dataset.id === {json.dumps(id)}")


_BRING = """([kind, name, data]) => {
    const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    const held = new DataTransfer();
    held.items.add(new File([bytes], name, {type: "image/png"}));
    const event = kind === "paste"
        ? new ClipboardEvent("paste", {clipboardData: held, bubbles: true})
        : new DragEvent(kind, {dataTransfer: held, bubbles: true, cancelable: true});
    document.body.dispatchEvent(event);
}"""


def drop(page: Any, picture: Path, *, kind: str = "drop") -> None:
    """Let go of a picture over the page (or do another thing of dragging with it)."""
    page.evaluate(_BRING, [kind, picture.name, base64.b64encode(picture.read_bytes()).decode()])


def paste(page: Any, picture: Path) -> None:
    drop(page, picture, kind="paste")
