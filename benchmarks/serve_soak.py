"""A server under 80% load for half an hour, with adds and deletes going on: no request fails, memory stays flat.

What the server can do is measured first, for 15 seconds, with the writes. Then searches come at 80% of it, at random
moments: by ids, by vectors and by uploads; beside them images are added, replaced and removed, one after another, each
removed some hundred writes later. Memory is the resident set of the server's processes without what is mapped from
files (RssAnon), every five seconds. The first third is warm-up; the growth after it is Theil's and Sen's slope (the
median over all pairs of moments), times the time, with the interval of a bootstrap over blocks of the samples.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import psutil

import load
import lookalike
from first_search import _prepare
from harness import row, write_result
from load import Sent, percentile
from photographs import encoded
from serving_of import serving

SHARE = 0.8
EVERY_S = 5.0
KEPT = 100  # added images that are there at any moment
FLAT_PERCENT = 5.0
WRITES = 4.0  # a second, at most


class Writes:
    """Adds, replaces and removes until told to stop."""

    def __init__(self, url: str, pictures: Sequence[bytes]) -> None:
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._url = url
        self._pictures = pictures
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Writes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=f"{self._url}/v1/collections/large/records", trust_env=False, timeout=60) as client:
            number = 0
            while not self._stop.wait(1 / WRITES):
                picture = self._pictures[number % len(self._pictures)]
                name = number - 5 if number % 10 == 9 else number  # every tenth replaces
                self._send("put", lambda: client.put(f"/new-{name}.jpg", files={"image": picture}))  # noqa: B023
                old = number - KEPT
                if old >= 0 and old % 10 != 9:
                    self._send("delete", lambda: client.delete(f"/new-{old}.jpg"))  # noqa: B023
                number += 1

    def _send(self, what: str, send: Any) -> None:
        try:
            answer = send()
        except httpx.HTTPError as error:
            self.failed[f"{what}: {type(error).__name__}"] += 1
            return
        if answer.status_code in (200, 201):
            self.done[what] += 1
        else:
            self.failed[f"{what}: {answer.status_code} {answer.text[:200]}"] += 1


class Memory:
    """Samples of a process and its children, until told to stop."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.samples: list[dict[str, float]] = []
        self._process = psutil.Process(pid)
        self._folder = folder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._begin = time.monotonic()

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            processes = [self._process, *self._process.children(recursive=True)]
            info = [each.memory_info() for each in processes]
            self.samples.append(
                {
                    "s": round(time.monotonic() - self._begin, 1),
                    "own_mb": round(sum(each.rss - each.shared for each in info) / 1e6, 1),
                    "rss_mb": round(sum(each.rss for each in info) / 1e6, 1),
                    "files": sum(each.num_fds() for each in processes),
                    "threads": sum(each.num_threads() for each in processes),
                    "disk_mb": round(_size(self._folder) / 1e6, 1),
                }
            )


def _size(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            total += file.stat().st_size
    return total


def main() -> None:
    given = _arguments()
    print((__doc__ or "").splitlines()[0], flush=True)
    n = 2_000 if given.quick else 50_000
    seconds = 20.0 if given.quick else given.minutes * 60
    with tempfile.TemporaryDirectory() as temporary:
        collection, _, _ = _prepare(Path(temporary), n, given.seed)
        with lookalike.open(collection) as photos:
            requests = _requests(n, photos.space.dim, given.seed)
        pictures = encoded(40, (256, 192), seed=given.seed + 1)
        with serving(collection) as server, Writes(server.url, pictures) as writes:
            most = load.run(server.url, requests, clients=8, seconds=3 if given.quick else 15)
            rate = SHARE * most.rate
            print(f"{most.rate:.0f} searches/s are what it can do; {rate:.0f}/s for {seconds:.0f} s", flush=True)
            with Memory(server.pid, collection) as memory, ThreadPoolExecutor(1) as pool:
                future = pool.submit(load.run, server.url, requests, rate=rate, seconds=seconds, seed=given.seed)
                while not future.done():
                    time.sleep(EVERY_S)
                    if memory.samples and not given.quiet and len(memory.samples) % 12 == 0:
                        print(memory.samples[-1], flush=True)
                answers = future.result()
    _report(given, n, most.rate, rate, answers, writes, memory.samples)


def _arguments() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a minute's smoke test, whose figures mean nothing")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--minutes", type=float, default=30.0)
    options.add_argument("--quiet", action="store_true", help="say nothing meanwhile")
    return options.parse_args()


def _requests(n: int, dim: int, seed: int) -> list[Sent]:
    """Return searches: of ten, six by ids, two by vectors and two by uploads."""
    rng = np.random.default_rng(seed)
    address = "/v1/collections/large/search"
    pictures = encoded(20, (512, 384), seed=seed)
    made = []
    for number in range(100):
        if number % 5 == 3:
            item: dict[str, Any] = {"kind": "vector", "vector": rng.standard_normal(dim).round(4).tolist()}
        elif number % 5 == 4:
            head = b'--limit\r\nContent-Disposition: form-data; name="image"; filename="q.jpg"\r\n\r\n'
            body = head + pictures[number % len(pictures)] + b"\r\n--limit--\r\n"
            made.append(Sent(address, body, "multipart/form-data; boundary=limit"))
            continue
        else:
            item = {"kind": "id", "value": f"{rng.integers(1, n):06d}.jpg"}
        made.append(Sent(address, orjson.dumps({"query": {"items": [item]}})))
    random.Random(seed).shuffle(made)
    return made


def _report(
    given: argparse.Namespace,
    n: int,
    most: float,
    rate: float,
    answers: load.Answers,
    writes: Writes,
    samples: Sequence[dict[str, float]],
) -> None:
    failed = sum(answers.bad.values()) + sum(writes.failed.values())
    steady = samples[len(samples) // 3 :]
    level = statistics.median(each["own_mb"] for each in steady)
    span = steady[-1]["s"] - steady[0]["s"]
    growth, low, high = (100 * span * each / level for each in slope(steady, seed=given.seed))
    minutes = [[end // 60, time_] for end, time_ in zip(answers.ends, answers.times, strict=True)]
    by_minute: dict[int, list[float]] = {}
    for minute, time_ in minutes:
        by_minute.setdefault(int(minute), []).append(time_)
    figures = {
        "searches_per_second_possible": most,
        "searches_per_second_sent": rate,
        "answers": len(answers.times),
        "failed": answers.bad | dict(writes.failed),
        "writes": dict(writes.done),
        "p50_ms": 1e3 * percentile(answers.times, 0.5),
        "p95_ms": 1e3 * percentile(answers.times, 0.95),
        "p99_ms": 1e3 * percentile(answers.times, 0.99),
        "p99_ms_by_minute": [round(1e3 * percentile(times, 0.99), 1) for _, times in sorted(by_minute.items())],
        "growth_percent": [growth, low, high],
        "memory": samples,
    }
    took = f"{answers.seconds / 60:.0f} minutes at {rate:.0f} searches/s"
    rows = [
        row(
            f"Failed requests in {took}, with {WRITES:g} changes a second",
            [float(failed)],
            unit="requests",
            at_most=0,
            beside=f"{len(answers.times):,} searches, {writes.done['put']:,} adds, {writes.done['delete']:,} deletes",
        ),
        row(
            f"Growth of the server's memory after the first third of {took}",
            [growth],
            unit="%",
            at_most=FLAT_PERCENT,
            beside=f"95% interval {low:.1f} to {high:.1f} %, of {level:.0f} MB",
        ),
    ]
    write_result("serve_soak", __doc__ or "", figures, n=n, seed=given.seed, rows=rows, quick=given.quick)


def slope(samples: Sequence[dict[str, float]], *, seed: int) -> tuple[float, float, float]:
    """Return MB a second, and the ends of its 95% interval.

    The median of the slopes of all pairs (Sen, 1968); blocks of a minute are drawn anew, since neighbours are alike.
    """
    when = np.array([each["s"] for each in samples])
    level = np.array([each["own_mb"] for each in samples])
    block = max(1, min(len(samples) // 6, round(60 / EVERY_S)))
    rng = np.random.default_rng(seed)
    starts = np.arange(0, len(samples), block)
    drawn = []
    for _ in range(300):
        chosen = np.concatenate([np.arange(s, min(s + block, len(samples))) for s in rng.choice(starts, len(starts))])
        if np.ptp(when[chosen]) > 0:
            drawn.append(_sen(when[chosen], level[chosen]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return _sen(when, level), float(low), float(high)


def _sen(when: np.ndarray[Any, Any], level: np.ndarray[Any, Any]) -> float:
    one, other = np.triu_indices(len(when), 1)
    apart = when[other] - when[one]
    good = apart != 0
    return float(np.median((level[other] - level[one])[good] / apart[good]))


if __name__ == "__main__":
    main()
