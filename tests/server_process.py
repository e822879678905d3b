"""A ``lookalike serve`` of a test's own: a process, a port, what it logs."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from serving import item, query

__all__ = ["Running", "serving", "workers_of"]


class Running:
    """A server that runs; its collection is called ``photos``."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.client = self.connect()
        self.lines: list[str] = []

    def connect(self) -> httpx.Client:
        """Return a client of its own, so a connection of its own."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    def search(self, id: str = "picture-0001.png", **more: Any) -> httpx.Response:
        return self.client.post("/v1/collections/photos/search", json=query(item("id", id), **more))


@contextlib.contextmanager
def serving(folder: Path, *words: str) -> Iterator[Running]:
    """Run a server over a collection until the block ends, by Ctrl-C."""
    command = [sys.executable, "-m", "lookalike", "serve", "--collection", f"photos={folder}", "--port", "0", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8") as process:
        try:
            assert process.stderr is not None
            lines: list[str] = []
            for line in process.stderr:
                lines.append(line)
                found = re.search(r"serves (http://\S+)", line)
                if found:
                    break
            else:
                raise AssertionError("".join(lines))
            running = Running(process, found[1])
            reader = threading.Thread(target=lambda: running.lines.extend(process.stderr or ()), daemon=True)
            reader.start()
            with running.client:
                yield running
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()


def workers_of(server: Running) -> list[int]:
    """Return the process ids of the workers of a server; needs ``/proc``."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [pid for pid in map(int, children.read_text().split()) if _serves(pid)]


def _serves(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
