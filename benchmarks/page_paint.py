"""The web page shows results within 300 ms of the server's answer, at the width of a desk and of a phone.

In real Chromium, over a `lookalike serve` of 2,000 photographs: the page opens on a search, and each further one is
begun by a click on a result. The page marks the moment that the answer is there, and the first
one after the frame that shows its results; their difference is the figure. Thumbnails, which come lazily, are not in
it. Chromium draws without a GPU, on the machine that also runs the server.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import lookalike
from harness import arguments, row, write_result
from load import percentile
from photographs import write_photographs
from serving_of import serving

TARGET_MS = 300.0
WIDTHS = {"a desk": (1280, 860), "a phone": (390, 844)}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
NEXT = "() => performance.getEntriesByName('painted').length"
TOOK = "() => performance.getEntriesByName('painted').map(each => each.duration)"


def main() -> None:
    from playwright.sync_api import sync_playwright

    options = arguments(__doc__ or "")
    if CHROMIUM is None:
        raise SystemExit("left out: no Chromium was found; on Debian: apt-get install chromium")
    n, searches = (60, 3) if options.quick else (2_000, 40)
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_photographs(folder / "photographs", n, (256, 192), seed=options.seed)
        collection = folder / "large.collection"
        with lookalike.open(collection) as photos:
            photos.add(folder / "photographs")
            first = next(iter(photos)).id
        with serving(collection) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for width, (across, down) in WIDTHS.items():
                page = browser.new_page(viewport={"width": across, "height": down})
                page.goto(f"{server.url}/?c=large&q=id:{first}")
                _painted(page, 1)
                times[width] = [_search(page, 1 + each % 18) for each in range(searches)]
                page.close()
            browser.close()
    rows = [
        row(
            f"From the answer to its results on the page, at the width of {width}",
            some,
            unit="ms",
            at_most=TARGET_MS,
            beside=f"the slowest of {len(some)}: {max(some):.0f} ms; 95% within {percentile(some, 0.95):.0f} ms",
        )
        for width, some in times.items()
    ]
    write_result("page_paint", __doc__ or "", {"ms": times}, n=n, seed=options.seed, rows=rows, quick=options.quick)


def _search(page: Any, place: int) -> float:
    """Search on from the result in this place, and return the milliseconds."""
    before = page.evaluate(NEXT)
    page.locator(".tile .picture").nth(place).click()
    _painted(page, before + 1)
    return float(page.evaluate(TOOK)[-1])


def _painted(page: Any, count: int) -> None:
    """Wait for so many; Playwright's own way to wait needs a page that allows eval."""
    for _ in range(1000):
        if page.evaluate(NEXT) >= count:
            return
        page.wait_for_timeout(20)
    raise SystemExit("the page never showed its results: nothing was measured")


if __name__ == "__main__":
    main()
