"""A `lookalike serve` of a benchmark's own, and other servers that it is measured beside."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

__all__ = ["Server", "another", "free_port", "serving"]


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs."""

    url: str
    pid: int


@contextmanager
def serving(collection: Path, *words: str) -> Iterator[Server]:
    """Run `lookalike serve` over a collection, called ``large``, until the block ends."""
    command = [sys.executable, "-m", "lookalike", "serve", "--collection", f"large={collection}", "--port", "0", *words]
    with _running(command, {}) as (process, said):
        yield Server(_waited(process, said, _address), process.pid)


@contextmanager
def another(command: Sequence[str], port: int, *, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run another server on this port of the loopback."""
    url = f"http://127.0.0.1:{port}"
    with _running(command, environment or {}) as (process, said):

        def up(_: str) -> str | None:
            try:
                httpx.get(url, trust_env=False, timeout=5)
            except httpx.TransportError:
                return None
            return url

        _waited(process, said, up)
        yield Server(url, process.pid)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _address(said: str) -> str | None:
    found = re.search(r"serves (http://[\w.:]+)", said)
    return found[1] if found else None


@contextmanager
def _running(
    command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], IO[str]]]:
    # Into a file: a pipe that nobody empties would stop the server.
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            list(command), stdout=said, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        try:
            yield process, said
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _waited(process: subprocess.Popen[bytes], said: IO[str], up: Callable[[str], str | None]) -> str:
    for _ in range(1200):
        said.seek(0)
        text = said.read()
        if (url := up(text)) is not None:
            return url
        if process.poll() is not None:
            raise SystemExit(f"a server ended before it began:\n{text[-2000:]}")
        time.sleep(0.1)
    raise SystemExit(f"a server did not start: nothing was measured\n{text[-2000:]}")
