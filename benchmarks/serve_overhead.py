"""What HTTP and the service add to the library's own search: at most 5 ms at the median, by id and by an upload.

One collection, searched in turn by `Collection.search` in this process and over HTTP from a `lookalike serve` beside
it, which has the same files mapped; one client, one connection. The figure is the difference of the times of each pair.
Then the same searches from 1, 8 and 64 connections at once: requests a second.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

import lookalike
from first_search import _prepare
from harness import arguments, row, write_result

TARGET_MS = 5.0
CLIENTS = (1, 8, 64)
REST_S = 0.1


def main() -> None:
    options = arguments(__doc__ or "")
    n, rounds, seconds = (5_000, 20, 0.5) if options.quick else (100_000, 300, 4.0)
    with tempfile.TemporaryDirectory() as temporary:
        collection, _, photo = _prepare(Path(temporary), n, options.seed)
        data = photo.read_bytes()
        by_id = {"query": {"items": [{"kind": "id", "value": f"{n // 2:06d}.jpg"}]}}
        with lookalike.open(collection) as photos, _serving(collection) as url:
            address = f"{url}/v1/collections/large/search"

            def send_id(client: httpx.Client) -> Any:
                return client.post(address, json=by_id).raise_for_status().json()

            def send_image(client: httpx.Client) -> Any:
                return client.post(address, files={"image": data}).raise_for_status().json()

            with httpx.Client(trust_env=False) as client:
                library_id, library_image = photos.search(f"id:{n // 2:06d}.jpg"), photos.search(data)
                for ours, theirs in ((send_id(client), library_id), (send_image(client), library_image)):
                    if [hit["id"] for hit in ours["hits"]] != [hit.id for hit in theirs]:
                        raise SystemExit("the service found other images than the library: nothing was measured")
                times = _in_turn(
                    {
                        "id, library": lambda: photos.search(f"id:{n // 2:06d}.jpg"),
                        "id, HTTP": lambda: send_id(client),
                        "image, library": lambda: photos.search(data),
                        "image, HTTP": lambda: send_image(client),
                    },
                    rounds,
                )
            rates = {
                name: {count: _rate(send, count, seconds) for count in CLIENTS}
                for name, send in (("id", send_id), ("image", send_image))
            }
    rows = []
    for name, what in (("id", "a stored image's id"), ("image", "an uploaded image")):
        added = [
            (http - own) * 1e3 for http, own in zip(times[f"{name}, HTTP"], times[f"{name}, library"], strict=True)
        ]
        own = sorted(times[f"{name}, library"])[rounds // 2] * 1e3
        rates_said = ", ".join(f"{count} clients {rate:.0f}/s" for count, rate in rates[name].items())
        rows.append(
            row(
                f"What HTTP adds to a search of {n:,} images by {what}",
                added,
                unit="ms",
                at_most=TARGET_MS,
                beside=f"the library alone {own:.1f} ms; {rates_said}",
            )
        )
    figures = {"seconds": times, "requests_per_second": rates}
    write_result("serve_overhead", __doc__ or "", figures, n=n, seed=options.seed, rows=rows, quick=options.quick)


def _in_turn(commands: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each command, run in turn, with a rest before each.

    For some 30 ms after a product the threads of OpenBLAS spin: ours would take a core from the server's search.
    """
    for command in commands.values():
        command()
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            time.sleep(REST_S)
            begin = time.perf_counter()
            command()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


@contextmanager
def _serving(collection: Path) -> Iterator[str]:
    words = [sys.executable, "-m", "lookalike", "serve", "--collection", f"large={collection}", "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"http://\S+", process.stderr.readline())
            if found is None:
                raise SystemExit("the server did not start: nothing was measured")
            with ThreadPoolExecutor(1) as reader:  # so that its log never fills the pipe
                reader.submit(process.stderr.read)
                yield found[0]
                process.terminate()
        finally:
            process.terminate()


def _rate(send: Callable[[httpx.Client], Any], clients: int, seconds: float) -> float:
    """Return requests a second of so many clients; this process takes its share of the machine too."""
    end = time.monotonic() + seconds

    def work(_: int) -> int:
        done = 0
        with httpx.Client(trust_env=False, timeout=60) as client:
            while time.monotonic() < end:
                send(client)
                done += 1
        return done

    begin = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        total = sum(pool.map(work, range(clients)))
    return total / (time.monotonic() - begin)


if __name__ == "__main__":
    main()
