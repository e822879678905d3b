"""Real servers on the loopback: one of lookalike in a thread, and one in front of it that misbehaves."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import uvicorn

from lookalike.serve import Settings, create_app

__all__ = ["Act", "Flaky", "live"]

READY_S = 30.0


@contextlib.contextmanager
def live(folders: dict[str, Path], **settings: object) -> Iterator[str]:
    """Serve collections on a free port until the end of the block; yields the address."""
    given = {"collections": {name: str(folder) for name, folder in folders.items()}, "access_log": False, **settings}
    app = create_app(Settings(**given))  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            end = time.monotonic() + READY_S
            while not server.started:
                assert thread.is_alive(), "the server did not start"
                assert time.monotonic() < end, "the server takes too long to start"
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(READY_S)


# What happens to one request: it is passed on; the connection ends before it is passed on, or after (the answer is
# lost); or an answer is given: status, Retry-After, body.
Act = str | tuple[int, str, bytes]


class Flaky:
    """A server in front of another that does to the first requests what its script says, and passes on the others."""

    def __init__(self, behind: str, script: list[Act]) -> None:
        self.script = list(script)
        self.seen: list[str] = []  # method and path of every request
        self.when: list[float] = []
        flaky = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                flaky.seen.append(f"{self.command} {self.path}")
                flaky.when.append(time.monotonic())
                act: Act = flaky.script.pop(0) if flaky.script else "pass"
                if not isinstance(act, str):
                    self._send(act[0], {"Retry-After": act[1]} if act[1] else {}, act[2])
                    return
                if act != "drop before":
                    headers = {
                        name: self.headers[name] for name in ("Content-Type", "Authorization") if name in self.headers
                    }
                    reply = httpx.request(
                        self.command, behind + self.path, content=body, headers=headers, trust_env=False, timeout=30
                    )
                if act.startswith("drop"):
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                kept = {name: reply.headers[name] for name in ("Content-Type", "Retry-After") if name in reply.headers}
                self._send(reply.status_code, kept, reply.content)

            def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Flaky:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
