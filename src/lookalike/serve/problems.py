"""Errors as answers: the status, and ``{"error": {"code", "message", "hint"}}``."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from .. import errors
from ..errors import LookalikeError
from ..images.printable import printable
from ..nearest_name import did_you_mean
from .encoding import json_answer

__all__ = ["STATUS", "add_handlers", "detail_of", "explain_validation", "problem", "status_of"]

log = logging.getLogger("lookalike.serve")

# The first that an error is an instance of.
STATUS: tuple[tuple[type[LookalikeError], int], ...] = (
    (errors.NotFound, 404),
    (errors.NotAllowed, 403),
    (errors.OverLimit, 413),
    (errors.TooManyRequests, 429),
    (errors.Overloaded, 503),
    (errors.TimedOut, 504),
    (errors.CollectionBusy, 503),
    (errors.NoCollection, 404),
    (errors.OtherEmbedder, 409),
    (errors.CollectionError, 500),
    (errors.MissingExtra, 501),
    (errors.ModelError, 500),
    (errors.ImageTooLarge, 413),
    (errors.ImageError, 422),
    (errors.BadInput, 400),
)
BUSY_S = 2  # after which a collection that another process writes to may be free


def status_of(error: LookalikeError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, errors.NotAllowed) and error.code == "no_key":
        return 401
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def detail_of(error: LookalikeError) -> dict[str, str]:
    """Return what an answer says of an error."""
    return {"code": error.code, "message": printable(error.message), "hint": error.hint}


def problem(error: LookalikeError) -> Response:
    """Return the answer that an error makes."""
    status = status_of(error)
    headers = {}
    after = getattr(error, "retry_after_s", None)
    if after is None and isinstance(error, errors.CollectionBusy):
        after = BUSY_S
    if after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(after)))
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="lookalike"'
    return json_answer({"error": detail_of(error)}, status=status, headers=headers)


def explain_validation(found: Sequence[Any], model: type[BaseModel] | None = None) -> LookalikeError:
    """Return one sentence about the first thing that is wrong with a body."""
    first = found[0]
    where = ".".join(str(part) for part in first.get("loc", ()) if part not in ("body", "query", "path") or model)
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        names = list(model.model_fields) if model and len(first["loc"]) == 1 else []
        hint = did_you_mean(key, names) or (f"Known: {', '.join(names)}." if names else "")
        return errors.BadInput(f"unknown key {where!r} in the request.", hint=hint)
    if first["type"] == "json_invalid":
        return errors.BadInput(f"the request is no JSON: {first.get('ctx', {}).get('error', first['msg'])}.")
    message = str(first["msg"])
    return errors.BadInput(
        f"{where or 'the request'}: {message[:1].lower()}{message[1:]}, got {_short(first.get('input'))}."
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def add_handlers(app: FastAPI) -> None:
    """Let every error of the application become an answer of the contract."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, LookalikeError)
        if status_of(error) == 500:
            log.error("%s %s: %s", request.method, request.url.path, error)
        return problem(error)

    async def invalid(request: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, (RequestValidationError, ValidationError)) else []
        return json_answer({"error": detail_of(explain_validation(found))}, status=422)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        codes = {404: "not_found", 405: "method_not_allowed", 413: "over_limit", 415: "unsupported_media_type"}
        hints = {404: "GET /openapi.json lists the addresses.", 405: "See the Allow header."}
        sentence = {404: f"there is nothing at {request.url.path}.", 405: f"{request.method} is not for this address."}
        body = {
            "code": codes.get(error.status_code, "http_error"),
            "message": sentence.get(error.status_code, str(error.detail)),
            "hint": hints.get(error.status_code, ""),
        }
        return json_answer({"error": body}, status=error.status_code, headers=dict(error.headers or {}))

    async def gone(request: Request, error: Exception) -> Response:
        body = {"code": "bad_input", "message": "the request ended before its body did.", "hint": ""}
        return json_answer({"error": body}, status=400)  # nobody is there to read it; the log says what happened

    async def failed(request: Request, error: Exception) -> Response:
        log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        body = {"code": "internal", "message": "this should not have happened; the server's log says more.", "hint": ""}
        return json_answer({"error": body}, status=500)

    app.add_exception_handler(LookalikeError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, failed)
