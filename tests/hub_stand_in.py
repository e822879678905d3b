"""A model hub on loopback: what the huggingface_hub client asks of a server, answered from a folder."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Hub", "serve_hub"]


class Hub:
    """Repositories are folders ``root/org/name``; any revision is the one there is.

    Attributes:
        url: the endpoint.
        asked: method and path of every request, in order.
        truncate: names of files of which only half is sent, though their length is announced.
        corrupt: names of files whose first byte is sent wrong, though the right hash is announced.
        answer, code: a status to give to every request in place of a file, such as 401, and the hub's name for it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = ""
        self.asked: list[str] = []
        self.truncate: set[str] = set()
        self.corrupt: set[str] = set()
        self.answer: int | None = None
        self.code = ""

    def commit(self, repo: Path) -> str:
        """Return 40 hex digits that change with the repository's files."""
        files = sorted(path for path in repo.rglob("*") if path.is_file())
        parts = [f"{path.relative_to(repo)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]
        return hashlib.sha1("\n".join(parts).encode()).hexdigest()


@contextmanager
def serve_hub(root: Path) -> Iterator[Hub]:
    """Serve the repositories below ``root`` on a free port of 127.0.0.1."""
    hub = Hub(root)

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Tests have nothing to say on stderr."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        hub = self.served
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        hub.asked.append(f"{self.command} {self.path}")
        if hub.answer is not None:
            self._fail(hub.answer, hub.code)
        elif parts[:2] == ["api", "models"]:
            self._list(hub.root.joinpath(*parts[2:4]))
        elif "resolve" in parts:
            at = parts.index("resolve")
            self._file(hub.root.joinpath(*parts[:at]), "/".join(parts[at + 2 :]), body=body)
        else:
            self._fail(404)

    def _fail(self, status: int, code: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _list(self, repo: Path) -> None:
        if not repo.is_dir():
            self._fail(404, "RepoNotFound")
            return
        files = sorted(path for path in repo.rglob("*") if path.is_file())
        siblings = [{"rfilename": path.relative_to(repo).as_posix()} for path in files]
        name = f"{repo.parent.name}/{repo.name}"
        about = {"id": name, "modelId": name, "sha": self.served.commit(repo), "siblings": siblings}
        data = json.dumps({**about, "private": False, "downloads": 0, "tags": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _file(self, repo: Path, name: str, *, body: bool) -> None:
        if not repo.is_dir():
            self._fail(404, "RepoNotFound")
            return
        commit = self.served.commit(repo)
        path = repo / name
        if not path.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = path.read_bytes()
        start = 0
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes="):
            start = int(wanted[6:].split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if not body:
            return
        if path.name in self.served.truncate:
            self.wfile.write(data[start : max(start, len(data) // 2)])
            self.close_connection = True
            return
        if path.name in self.served.corrupt and not start:
            data = bytes([data[0] ^ 1]) + data[1:]
        self.wfile.write(data[start:])
