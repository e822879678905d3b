"""Reading request bodies: JSON, or a multipart form whose files stand beside the same keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from ..errors import BadInput, LookalikeError, OverLimit
from .problems import explain_validation
from .settings import Settings

__all__ = ["Form", "Invalid", "read_form", "read_json", "read_model"]

M = TypeVar("M", bound=BaseModel)

_TEXT_BYTES = 4_000_000  # of one field that is not a file
_JSON_FIELDS = '{["0123456789-tfn'  # what the text of a JSON value begins with


class Invalid(Exception):
    """A body that does not have the shape of its model; answered with 422."""

    def __init__(self, error: LookalikeError) -> None:
        self.error = error


class Form(NamedTuple):
    """A body: its keys, and the files that came with it, by field."""

    values: Mapping[str, Any]
    files: Mapping[str, bytes]
    names: Mapping[str, str]  # field -> the file's own name


def validated(model: type[M], values: Any) -> M:
    """Return the model of a decoded body.

    Raises:
        Invalid: it has another shape.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Invalid(explain_validation(error.errors(), model)) from None


async def read_json(request: Request) -> Any:
    """Return the body, decoded.

    Raises:
        Invalid: it is no JSON.
    """
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise Invalid(BadInput(f"the request is no JSON: {error}.", hint="Send application/json.")) from None


async def read_model(request: Request, model: type[M]) -> M:
    """Return a JSON body as its model."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise HTTPException(415, f"this takes application/json, not {kind!r}.")
    return validated(model, await read_json(request))


async def read_form(request: Request, settings: Settings, *, max_files: int) -> Form:
    """Return a body of either kind.

    In a form, ``request`` is a JSON object with the keys of the JSON body, other text fields are single keys of it, and
    files are files. A second file in one field gets its name with ``-2`` behind it, and so on.

    Raises:
        Invalid: it cannot be understood. OverLimit: a file is larger than ``max_upload``, or there are too many.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        values = await read_json(request)
        if not isinstance(values, dict):
            raise Invalid(BadInput(f"the request must be a JSON object, got {type(values).__name__}."))
        return Form(values, {}, {})
    if kind != "multipart/form-data":
        raise HTTPException(415, f"this takes application/json or multipart/form-data, not {kind!r}.")
    try:
        async with request.form(max_files=max_files, max_fields=200, max_part_size=_TEXT_BYTES) as form:
            return await _taken_apart(form.multi_items(), settings)
    except (MultiPartException, HTTPException) as error:
        told = str(getattr(error, "message", "") or getattr(error, "detail", "") or error)
        if "Too many" in told or "exceeded" in told:
            raise OverLimit(f"the form is too large: {told.rstrip('.')}.") from None
        raise Invalid(BadInput(f"the form cannot be read: {told.rstrip('.')}.")) from None


async def _taken_apart(fields: list[tuple[str, Any]], settings: Settings) -> Form:
    values: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    names: dict[str, str] = {}
    for field, value in fields:
        if not isinstance(value, UploadFile):
            values.update(_keys(field, value))
            continue
        if value.size is not None and value.size > settings.max_upload:
            raise OverLimit(
                f"the file in {field!r} has {value.size:,} bytes, more than the {settings.max_upload:,} of one image.",
                hint="An operator sets max_upload.",
            )
        data = await value.read()
        if not data and not value.filename:
            continue  # a file input that was left empty
        unique, number = field, 2
        while unique in files:
            unique, number = f"{field}-{number}", number + 1
        files[unique], names[unique] = data, value.filename or ""
    return Form(values, files, names)


def _keys(field: str, text: str) -> Mapping[str, Any]:
    """Return the keys that a text field gives: all those of an object called ``request``, else itself."""
    if field == "request":
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise Invalid(BadInput(f"the field 'request' is no JSON: {error}.")) from None
        if not isinstance(found, dict):
            raise Invalid(BadInput("the field 'request' must be a JSON object."))
        return found
    if text[:1] and text[0] in _JSON_FIELDS:
        try:
            return {field: orjson.loads(text)}
        except orjson.JSONDecodeError:
            pass
    return {field: text}
