"""Running the server: the socket, one process or several, and a clean end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from ..collection import open
from ..errors import BadInput
from .app import create_app, to_environment
from .logs import set_up_logs
from .settings import Settings

__all__ = ["run"]

_BACKLOG = 2048


def run(settings: Settings, *, tell: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; requests that run are finished.

    Args:
        settings: of the operator.
        tell: called with sentences for the person.

    Raises:
        BadInput: a public address without keys, or one that is taken. LookalikeError: a collection cannot be opened.
    """
    settings.check_binding()
    listening = _listen(settings)
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{'127.0.0.1' if settings.host in ('0.0.0.0', '') else host}:{port}{settings.root_path}"
    options: dict[str, Any] = {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "backlog": _BACKLOG,
        "timeout_graceful_shutdown": int(settings.shutdown_s),
        "timeout_keep_alive": 75,
        "ws": "none",
        "lifespan": "on",
    }
    set_up_logs()

    def ready() -> None:
        tell(f"lookalike serves {url} (Ctrl-C ends it)")

    try:
        if settings.workers > 1:
            _run_several(settings, options, listening, url, ready)
            return
        app = create_app(settings)
        app.state.service.start()  # here, so that what is wrong with a collection is said in a sentence
        with _told_to_stop():
            _Server(uvicorn.Config(app, **options), ready).run(sockets=[listening])
    finally:
        listening.close()


@contextlib.contextmanager
def _told_to_stop() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM, which uvicorn raises again once it has ended well, be no failure."""
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda *_: None) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


class _Server(uvicorn.Server):
    """Says when it is ready, and lets the error of a failed start through."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell_ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._tell_ready()


def _run_several(
    settings: Settings, options: dict[str, Any], listening: socket.socket, url: str, ready: Callable[[], None]
) -> None:
    create_app(settings)  # the keys can be read
    for folder in settings.collections.values():
        open(folder, create_missing=False).close()  # it is there: a worker that cannot start is started for ever
    to_environment(settings)
    figures = tempfile.mkdtemp(prefix="lookalike-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = figures
    try:
        config = uvicorn.Config(
            "lookalike.serve.app:from_environment", factory=True, workers=settings.workers, **options
        )
        threading.Thread(target=_tell_when_up, args=(url, ready), daemon=True).start()
        Multiprocess(config, sockets=[listening]).run()
    finally:
        shutil.rmtree(figures, ignore_errors=True)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
        listening.listen(_BACKLOG)
        listening.set_inheritable(True)
    except OSError as error:
        listening.close()
        raise BadInput(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}.",
            hint="Another program may have the port: give --port, 0 for any free one.",
        ) from error
    return listening


def _tell_when_up(url: str, ready: Callable[[], None]) -> None:
    import httpx

    while True:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False, timeout=5).status_code != 503:
                break
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    ready()
