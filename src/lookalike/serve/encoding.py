"""JSON out, and pictures in base64 in."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from ..errors import BadInput

__all__ = ["from_base64", "json_answer"]


def json_answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON. NaN and infinity, which JSON does not have, become null."""
    data = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    return Response(data, status, dict(headers or {}), media_type="application/json")


def from_base64(text: str, what: str) -> bytes:
    """Return the bytes; a ``data:`` URL and line breaks are taken too.

    Raises:
        BadInput: it is no base64.
    """
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise BadInput(f"{what} is a data: URL that is not in base64.", hint="Write data:image/jpeg;base64,...")
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput(f"{what} is not in base64: {error}.") from None
    if not data:
        raise BadInput(f"{what} is empty.", hint="Give the bytes of an image in base64.")
    return data
