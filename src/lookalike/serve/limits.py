"""What is checked before a request reaches the application: its host, its origin, the size and speed of its body."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import BadInput, LookalikeError, NotAllowed, OverLimit, TimedOut
from .problems import problem
from .settings import Settings, is_loopback

__all__ = ["Guard"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_READING = ("GET", "HEAD", "OPTIONS")


class Guard:
    """ASGI middleware.

    - The ``Host`` must be one of ours: on the loopback that stops a web page whose name is made to mean 127.0.0.1.
    - A page of another site may read nothing (no CORS headers are sent), and may not change anything either.
    - A body larger than ``max_body`` is refused, by its own word or by count, and so is one that trickles in.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._hosts = {host.lower() for host in settings.allowed_hosts}
        if not self._hosts and is_loopback(settings.host):
            self._hosts = {*_LOOPBACK, settings.host.lower()}
        self._origins = set(settings.cors_origins)
        self._max_body = settings.max_body
        self._upload_limit_s = settings.upload_limit_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with a body that is counted."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refused(scope["method"], headers)
        if refused is not None:
            await problem(refused)(scope, receive, send)
            return
        if scope["method"] in _READING and "transfer-encoding" not in headers and "content-length" not in headers:
            await self.app(scope, receive, send)
            return
        counted = _Counted(receive, self._max_body, self._upload_limit_s)
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counted, noting)
        except _Refused as refusal:
            if started:
                raise
            await problem(refusal.error)(scope, receive, send)

    def _refused(self, method: str, headers: Mapping[str, str]) -> LookalikeError | None:
        host = _name(headers.get("host", ""))
        if self._hosts and host not in self._hosts:
            error = NotAllowed(
                f"this server does not go by the name {host!r}.", hint="An operator adds names with allowed_hosts."
            )
            error.code = "other_host"
            return error
        if method not in _READING and not self._same_site(headers):
            error = NotAllowed(
                "a page of another site may not change anything here.",
                hint="An operator allows pages with cors_origins.",
            )
            error.code = "other_site"
            return error
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return BadInput(f"the content-length {length!r} is no number.")
        if int(length) > self._max_body:
            return _over(self._max_body, int(length))
        return None

    def _same_site(self, headers: Mapping[str, str]) -> bool:
        origin = headers.get("origin", "")
        if origin in self._origins:
            return True
        site = headers.get("sec-fetch-site", "")
        if site:  # a browser's own word, which pages cannot set
            return site in ("same-origin", "none")
        return not origin or _name(urlsplit(origin).netloc) == _name(headers.get("host", ""))


class _Refused(Exception):
    def __init__(self, error: LookalikeError) -> None:
        self.error = error


class _Counted:
    """The body of one request, counted and timed as it comes."""

    def __init__(self, receive: Receive, most: int, limit_s: float) -> None:
        self._receive = receive
        self._most = most
        self._seen = 0
        self._limit_s = limit_s
        self._end: float | None = None
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        now = asyncio.get_running_loop().time()
        if self._end is None:
            self._end = now + self._limit_s
        try:
            async with asyncio.timeout_at(self._end):
                message = await self._receive()
        except TimeoutError:
            raise _Refused(
                TimedOut(f"the request did not arrive within {self._limit_s:g} s.", hint="Send less, or faster.")
            ) from None
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            if self._seen > self._most:
                raise _Refused(_over(self._most, None))
            self._complete = not message.get("more_body", False)
        return message


def _over(most: int, size: int | None) -> OverLimit:
    seen = f"has {size:,} bytes, more than" if size is not None else "has more than"
    return OverLimit(
        f"the request {seen} the {most:,} that this server takes.",
        hint="Send smaller or fewer pictures; an operator sets max_body.",
    )


def _name(host: str) -> str:
    """Return a host without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
