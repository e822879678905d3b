"""The OpenAPI document: what FastAPI finds, and the bodies that our routes read themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from .. import __version__
from . import wire
from .access import role_of

__all__ = ["answers", "json_body", "multipart_body", "set_openapi"]

_REF = "#/components/schemas/{model}"

DESCRIPTION = """Search images by example: by upload, URL, id or words, several of them with weights, or a part of one.

Errors are `{"error": {"code", "message", "hint"}}`. Pictures of records are served by row, which is never reused."""

_PROBLEMS = {
    400: "It cannot be understood.",
    401: "A key is needed.",
    403: "The key may not do this.",
    404: "There is no such thing.",
    409: "The collection's vectors are of another model.",
    413: "It is too large.",
    415: "The body is of another type.",
    422: "The body has another shape, or a picture is unusable.",
    429: "Too many requests; see Retry-After.",
    500: "A failure of ours.",
    501: "A part that this needs is not installed.",
    503: "Too much to do; see Retry-After.",
    504: "It took too long.",
}


def answers(model: Any, *, status: int = 200, what: str = "", **more: Any) -> dict[int | str, Any]:
    """Return what a route can answer, for its ``responses``; ``model`` is a model, a list of one, or None."""
    good: dict[str, Any] = {"description": what or "Done."}
    if model is not None:
        good["model"] = model
    found: dict[int | str, Any] = {status: {**good, **more}}
    found |= {code: {"model": wire.ErrorBody, "description": text} for code, text in _PROBLEMS.items()}
    return found


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the ``openapi_extra`` of a route that reads a JSON body."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _ref(model)}}}}


def multipart_body(model: type[BaseModel], files: Mapping[str, str]) -> dict[str, Any]:
    """Return the ``openapi_extra`` of a route that reads JSON or a form.

    Args:
        model: the keys of either.
        files: field -> what the file in it is.
    """
    form = {
        "type": "object",
        "properties": {
            "request": {"type": "string", "description": "the JSON body; its keys may also be fields of their own"},
            **{
                field: {"type": "array", "items": {"type": "string", "format": "binary"}, "description": text}
                for field, text in files.items()
            },
        },
    }
    content = {"application/json": {"schema": _ref(model)}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def set_openapi(app: FastAPI, routers: Sequence[APIRouter], root_path: str) -> None:
    """Let ``app.openapi`` know the bodies as well."""

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(title="lookalike", version=__version__, description=DESCRIPTION, routes=app.routes)
            models = [each for each in vars(wire).values() if isinstance(each, type) and issubclass(each, BaseModel)]
            ours = [(each, "validation") for each in models if issubclass(each, wire._Request)]
            _, definitions = models_json_schema(ours, ref_template=_REF)  # type: ignore[arg-type]
            found["components"]["schemas"] |= definitions["$defs"]
            for route in (route for router in routers for route in router.routes):
                if isinstance(route, APIRoute) and route.include_in_schema:
                    for method in route.methods or ():
                        found["paths"][route.path_format][method.lower()]["x-role"] = role_of(route.dependencies)
            if root_path:
                found["servers"] = [{"url": root_path}]
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = made  # type: ignore[method-assign]
