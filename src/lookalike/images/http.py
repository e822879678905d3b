"""Pictures from the web, within limits of size, time and redirects."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Timer
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import FetchFailed, ImageError
from .reading import FetchLimits, too_large

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["certificates", "fetch"]

_HEADERS = {
    "User-Agent": f"lookalike/{__version__} (image search; python-httpx)",
    "Accept": "image/*, application/octet-stream;q=0.9, */*;q=0.5",
    "Accept-Encoding": "identity",  # pictures are compressed already
}
# What is certainly no picture. Anything else is left to the decoder: servers call pictures many things.
_NO_PICTURE = {
    "text/html": "a web page",
    "application/xhtml+xml": "a web page",
    "application/json": "JSON",
    "application/xml": "XML",
    "text/xml": "XML",
    "text/css": "a style sheet",
    "text/javascript": "a script",
    "application/javascript": "a script",
    "application/pdf": "a PDF document",
}


def fetch(url: str, *, limits: FetchLimits | None = None, transport: httpx.BaseTransport | None = None) -> bytes:
    """Return the bytes behind an http or https URL.

    Args:
        url: of one picture.
        limits: the default ones when None.
        transport: what every request goes through, those of redirects too; None: straight out, or through the proxy
            that the environment names.

    Raises:
        FetchFailed: no answer in time, a status other than success, too many redirects, a web page instead of a
            picture, a connection that broke; the message names the URL.
        ImageTooLarge: more than ``limits.max_bytes``, by the server's own word or by count; the rest is not read.
    """
    import httpx

    limits = limits or FetchLimits()
    shown = _shown(url)
    deadline = _Deadline(limits.total_s)
    try:
        client = httpx.Client(
            verify=certificates(),
            timeout=limits.timeout_s,
            headers=_HEADERS,
            transport=transport,
            trust_env=transport is None,  # a proxy of the environment would go round the transport
        )
        with deadline, client:
            request = client.build_request("GET", url)
            with _follow(client, request, shown, limits, deadline) as response:
                return _body(response, shown, limits, deadline)
    except httpx.TimeoutException as error:
        raise FetchFailed(
            f"{shown!r} did not answer within {limits.timeout_s:g} s.", hint="Try again later, or raise timeout_s."
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError, ValueError, OSError) as error:
        if isinstance(error, ImageError):
            raise
        if deadline.passed:
            raise _too_slow(shown, limits) from error
        raise FetchFailed(f"cannot fetch {shown!r}: {str(error) or type(error).__name__}.") from error


@contextmanager
def _follow(
    client: httpx.Client, request: httpx.Request, shown: str, limits: FetchLimits, deadline: _Deadline
) -> Iterator[httpx.Response]:
    """Send the request, and those that it is redirected to, and give the answer with its body still unread."""
    for _ in range(limits.max_redirects + 1):
        if deadline.passed:
            raise _too_slow(shown, limits)
        if request.url.scheme not in ("http", "https") or not request.url.host:
            raise FetchFailed(f"{shown!r} leads to {_shown(str(request.url))!r}, which is no http(s) address.")
        request.extensions["trace"] = deadline.watch
        response = client.send(request, stream=True)
        try:
            if response.next_request is None:
                _check(response, shown)
                yield response
                return
            request = response.next_request
        finally:
            response.close()
    raise FetchFailed(f"{shown!r} redirects more than {limits.max_redirects} times.")


def _check(response: httpx.Response, shown: str) -> None:
    if not response.is_success:
        raise FetchFailed(f"{shown!r} answered {response.status_code} {response.reason_phrase}.".replace(" .", "."))
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    what = _NO_PICTURE.get(content_type)
    if content_type.startswith(("video/", "audio/")):
        what = "a film or sound"
    if what:
        raise FetchFailed(
            f"{shown!r} gives {what}, not an image ({content_type}).", hint="Give the address of the image itself."
        )


def _body(response: httpx.Response, shown: str, limits: FetchLimits, deadline: _Deadline) -> bytes:
    claimed = response.headers.get("content-length", "")
    if claimed.isascii() and claimed.isdigit() and int(claimed) > limits.max_bytes:
        raise too_large(shown, int(claimed), limits)
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > limits.max_bytes:
            raise too_large(shown, None, limits)
        if deadline.passed:
            raise _too_slow(shown, limits)
    if deadline.passed:  # a connection that the deadline cut looks like an end where no length was announced
        raise _too_slow(shown, limits)
    return bytes(body)


class _Deadline:
    """Cuts the connections that it watches when the time is over.

    httpx limits each single wait; a server that sends a byte now and then would keep us for ever.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True
        self._sockets: list[Any] = []

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *exc: object) -> None:
        self._timer.cancel()
        self._sockets.clear()

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """Note a new connection; httpcore calls this (the request extension ``trace``)."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._sockets.append(info["return_value"].get_extra_info("socket"))

    def _cut(self) -> None:
        import socket

        for connection in list(self._sockets):
            try:
                connection.shutdown(socket.SHUT_RDWR)  # unlike close, this wakes who waits for the next byte
            except OSError:
                continue  # closed already


@lru_cache(maxsize=1)
def certificates() -> ssl.SSLContext:
    """Return the trusted certificates; loading them takes longer than many a fetch."""
    import httpx

    return httpx.create_ssl_context()


def _too_slow(shown: str, limits: FetchLimits) -> FetchFailed:
    return FetchFailed(f"{shown!r} took longer than {limits.total_s:g} s.", hint="Try again later, or raise total_s.")


def _shown(url: str) -> str:
    """Return the URL without a password."""
    return re.sub(r"//[^/@?#]*@", "//", url)
