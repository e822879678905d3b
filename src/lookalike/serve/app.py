"""The application: the routes, and what stands in front of them."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.resources import files

import anyio
from fastapi import FastAPI, Request
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from .. import __version__
from .bodies import Invalid
from .encoding import json_answer
from .fetching import Resolve, system_resolver
from .headers import StrictHeaders
from .limits import Guard
from .logs import RequestLog, set_up_logs
from .openapi import set_openapi
from .prefix import Prefix
from .problems import add_handlers, detail_of
from .routes import ROUTERS
from .service import Service
from .settings import Settings

__all__ = ["create_app", "from_environment", "to_environment"]

_VARIABLE = "_LOOKALIKE_SERVE"  # how worker processes get their settings


def create_app(settings: Settings, *, resolve: Resolve = system_resolver) -> FastAPI:
    """Return the ASGI application of these settings. Collections are opened when it starts.

    Args:
        settings: of the operator.
        resolve: how host names of URLs become addresses.

    Raises:
        BadInput, NoSuchFile: the keys cannot be read.
    """
    service = Service(settings, resolve=resolve)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(service.start)
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(service.close)

    middleware = [
        Middleware(Prefix, path=settings.root_path),
        Middleware(RequestLog, metrics=service.metrics, lines=settings.access_log),
        Middleware(StrictHeaders),
        Middleware(Guard, settings=settings),
    ]
    if settings.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(settings.cors_origins),
                allow_methods=["GET", "POST", "PUT", "DELETE"],
                allow_headers=["Authorization", "Content-Type", "X-API-Key"],
                expose_headers=["Retry-After", "X-Request-Id"],
                max_age=600,
            )
        )
    app = FastAPI(
        title="lookalike",
        version=__version__,
        lifespan=lifespan,
        middleware=middleware,
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere
        redoc_url=None,
    )
    app.state.service = service
    add_handlers(app)
    app.add_exception_handler(Invalid, _invalid)
    for router in ROUTERS:
        app.include_router(router)
    set_openapi(app, ROUTERS, settings.root_path)
    # Last, so that it takes what no route does.
    app.mount("/", StaticFiles(directory=str(files(__package__) / "web"), html=True), name="web")
    return app


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, Invalid)
    return json_answer({"error": detail_of(error.error)}, status=422)


def to_environment(settings: Settings) -> None:
    """Leave the settings where worker processes find them."""
    os.environ[_VARIABLE] = json.dumps(asdict(settings))


def from_environment() -> FastAPI:
    """Return the application of a worker process."""
    from pydantic import TypeAdapter

    set_up_logs()
    return create_app(TypeAdapter(Settings).validate_json(os.environ[_VARIABLE]))
