"""Requests to the service in this process, and the bodies of searches."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

__all__ = ["Client", "Start", "item", "on_loopback", "query"]

Start = Callable[..., AbstractContextManager["Client"]]


class Client:
    """Requests to an application in this process, as a program would send them."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.headers: dict[str, str] = {}

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**self.headers, **more.pop("headers", {})}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(send())

    def search(self, body: dict[str, Any], **more: Any) -> httpx.Response:
        return self("POST", "/v1/collections/photos/search", json=body, **more)

    def ids(self, body: dict[str, Any]) -> list[str]:
        answer = self.search(body)
        assert answer.status_code == 200, answer.text
        return [hit["id"] for hit in answer.json()["hits"]]


def item(kind: str, value: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "value": value, **more}


def query(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"query": {"items": list(items)}, **more}


@contextmanager
def on_loopback(app: Any) -> Iterator[str]:
    """Run an application on a port of its own, in a thread; gives its address."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
