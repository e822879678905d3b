"""The path that a proxy puts in front: taken off where the proxy passes it on; it may have taken it off itself."""

from __future__ import annotations

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Prefix"]


class Prefix:
    """ASGI middleware, for both kinds of proxy.

    Args:
        app: the application, which knows nothing of the prefix.
        path: such as ``/images``; empty: none.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self.app = app
        self._path = path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; the prefix alone is sent to where it ends in a slash, for the page's addresses are relative."""
        if self._path and scope["type"] == "http" and scope["path"] == self._path:
            await RedirectResponse(f"{self._path}/")(scope, receive, send)
            return
        if self._path and scope["type"] == "http" and f"{scope['path']}/".startswith(f"{self._path}/"):
            scope = {**scope, "path": scope["path"][len(self._path) :] or "/"}
            scope.pop("raw_path", None)
        await self.app(scope, receive, send)
