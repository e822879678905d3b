"""One line a request, and its times for ``/metrics``: never a body, a query, a key or a picture."""

from __future__ import annotations

import logging
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..images.printable import printable
from .metrics import Metrics

__all__ = ["RequestLog", "set_up_logs"]

log = logging.getLogger("lookalike.access")


class RequestLog:
    """ASGI middleware: method, path without its query, status, milliseconds, caller; a number for each request."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, lines: bool) -> None:
        self.app = app
        self._metrics = metrics
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and note how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin = time.perf_counter()
        number = secrets.token_hex(6)
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = number
            await send(message)

        self._metrics.running.inc()
        try:
            await self.app(scope, receive, noting)
        finally:
            self._metrics.running.dec()
            seconds = time.perf_counter() - begin
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.seen(route, scope["method"], status, seconds)
            if self._lines:
                caller = getattr(scope.get("state", {}).get("caller"), "name", "-")
                path = printable(scope["path"])[:200]
                log.info("%s %s %s %d %.1fms %s", number, scope["method"], path, status, seconds * 1e3, caller)


def set_up_logs() -> None:
    """Send what the server has to say to standard error, a line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name in ("lookalike", "uvicorn"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO if name == "lookalike" else logging.WARNING)
        logger.propagate = False
