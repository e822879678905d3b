"""A load generator in a process of its own: JSON in, JSON out. `run` starts it; what it measures is another process.

Two ways: so many clients, each with one request at a time (what a server can do); or requests at a rate, at the random
moments of independent people (a Poisson process), each timed from the moment that it was due, not from when a
connection came free. Keeps connections where the server does, and reads every answer to its end.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Answers", "Sent", "percentile", "run"]

_IDLE_S = 2.0  # some servers close after five seconds; a request sent at that very moment would be lost


class Sent(NamedTuple):
    """A request: what every client sends in turn, beginning at another place."""

    path: str
    body: bytes
    kind: str = "application/json"


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back.

    Attributes:
        times: seconds of each good answer, in order of their arrival.
        ends: seconds since the begin at which each came.
        bad: statuses that were not 2xx, or the kind of failure -> how many.
        seconds: how long it took.
        own: CPU seconds of the generator itself.
    """

    times: Sequence[float]
    ends: Sequence[float]
    bad: dict[str, int]
    seconds: float
    own: float

    @property
    def rate(self) -> float:
        """Return good answers a second."""
        return len(self.times) / self.seconds


def percentile(times: Sequence[float], share: float) -> float:
    """Return the time that so large a share of the requests did not exceed."""
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def run(
    url: str, requests: Sequence[Sent], *, seconds: float, clients: int = 1, rate: float = 0.0, seed: int = 0
) -> Answers:
    """Send load from another process and return what came of it.

    Args:
        url: ``http://host:port``.
        requests: sent in turn.
        seconds: for so long.
        clients: how many have a request under way at any moment; without ``rate``.
        rate: requests a second, at random moments; 0: as many as the clients can.
        seed: of these moments.
    """
    told = {
        "url": url,
        "requests": [[each.path, base64.b64encode(each.body).decode(), each.kind] for each in requests],
        **{"seconds": seconds, "clients": clients, "rate": rate, "seed": seed},
    }
    words = [sys.executable, str(Path(__file__).resolve())]
    done = subprocess.run(words, input=json.dumps(told), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the load generator failed: {done.stderr[-2000:]}")
    return Answers(**json.loads(done.stdout))


class _Load:
    """The generator itself."""

    def __init__(self, told: dict[str, Any]) -> None:
        host, _, port = told["url"].removeprefix("http://").partition(":")
        self.host, self.port = host, int(port)
        self.requests = [
            (
                f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(data)}\r\n\r\n".encode()
                + data
            )
            for path, text, kind in told["requests"]
            for data in [base64.b64decode(text)]
        ]
        self.told = told
        self.times: list[float] = []
        self.ends: list[float] = []
        self.bad: Counter[str] = Counter()
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []

    async def send(self, number: int, due: float) -> None:
        """Send one request over a connection that is free, and note how long after ``due`` it was answered."""
        data = self.requests[number % len(self.requests)]
        try:
            status = await asyncio.wait_for(self._once(data), 60)
        except (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
            self.bad[type(error).__name__] += 1
            return
        now = time.perf_counter()
        if 200 <= status < 300:
            self.times.append(now - due)
            self.ends.append(now - self.begin)
        else:
            self.bad[str(status)] += 1

    async def _once(self, data: bytes) -> int:
        reader, writer = await self._connection()
        writer.write(data)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            await reader.read()
            writer.close()
            return status
        await reader.readexactly(int(head[at + 17 : head.index(b"\r\n", at + 2)]))
        if head.startswith(b"http/1.0") or b"\r\nconnection: close" in head:
            writer.close()
        else:
            self.idle.append((reader, writer, time.perf_counter()))
        return status

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return one that is free, not one that the server has closed or may be closing, as HTTP clients do."""
        while self.idle:
            reader, writer, since = self.idle.pop()
            if not reader.at_eof() and time.perf_counter() - since < _IDLE_S:
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self.host, self.port, limit=2**22)

    async def measure(self) -> Answers:
        """Do what was told."""
        seconds, clients, rate = self.told["seconds"], self.told["clients"], self.told["rate"]
        self.begin = time.perf_counter()
        end = self.begin + seconds
        used = resource.getrusage(resource.RUSAGE_SELF)

        async def client(first: int) -> None:
            number = first * 7
            while (now := time.perf_counter()) < end:
                await self.send(number, now)
                number += 1

        if rate:
            await self._at_rate(rate, end)
        else:
            await asyncio.gather(*(client(each) for each in range(clients)))
        took = time.perf_counter() - self.begin
        now = resource.getrusage(resource.RUSAGE_SELF)
        own = now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime
        return Answers(self.times, self.ends, dict(self.bad), took, own)

    async def _at_rate(self, rate: float, end: float) -> None:
        moments = random.Random(self.told["seed"])
        due, number = self.begin, 0
        running: set[asyncio.Task[None]] = set()
        while (due := due + moments.expovariate(rate)) < end:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self.send(number, due))
            running.add(task)
            task.add_done_callback(running.discard)
            number += 1
        await asyncio.gather(*running)


def main() -> None:
    from dataclasses import asdict

    import uvloop

    load = _Load(json.load(sys.stdin))
    print(json.dumps(asdict(uvloop.run(load.measure()))))


if __name__ == "__main__":
    main()
