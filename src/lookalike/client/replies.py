"""Answers of a server: as values, or as the errors that the library itself raises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from .. import errors
from ..errors import LookalikeError

if TYPE_CHECKING:
    import httpx
    from pydantic import BaseModel

    M = TypeVar("M", bound=BaseModel)
else:
    M = TypeVar("M")

__all__ = ["error_of", "read"]

_BY_STATUS: dict[int, type[LookalikeError]] = {
    401: errors.NotAllowed,
    403: errors.NotAllowed,
    404: errors.NotFound,
    413: errors.OverLimit,
    429: errors.TooManyRequests,
    503: errors.Overloaded,
    504: errors.TimedOut,
}
_KEY_HINT = "Give Client(url, key=...), or put it into LOOKALIKE_KEY."


def read(model: type[M], reply: httpx.Response, server: str) -> M:
    """Return an answer as its model.

    Raises:
        ServerFailed: it is none.
    """
    from pydantic import ValidationError

    try:
        value: M = model.model_validate_json(reply.content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise errors.ServerFailed(
            f"the answer of {server} is not that of a lookalike server: {where or 'all of it'}: {first['msg']}.",
            hint="Check the address, and that the server is of this version.",
        ) from None
    return value


def error_of(reply: httpx.Response, server: str) -> tuple[LookalikeError, bool]:
    """Return the error that an answer means, and whether its body is that of a lookalike server."""
    status = reply.status_code
    told = _detail(reply)
    if told is None:
        if 300 <= status < 400:
            error: LookalikeError = errors.NotFound(
                f"{server} sends on to {reply.headers.get('Location', 'another place')!r}, where the key would not go.",
                hint="Give that address instead.",
            )
        else:
            kind = errors.ServerFailed if status >= 500 and status not in (503, 504) else _BY_STATUS.get(status)
            error = (kind or errors.ServerFailed)(
                f"{server} answered {status} {reply.reason_phrase}, and not as a lookalike server does.",
                hint="Check the address, and the proxy where there is one.",
            )
        return error, False
    code, message, hint = told
    kinds = _by_code()
    default = errors.ServerFailed if status >= 500 else errors.BadInput
    error = kinds.get(code, _BY_STATUS.get(status, default))(message, hint=hint)
    if code not in kinds:
        error.code = code
    if code == "no_key":
        error.hint = _KEY_HINT
    return error, True


def _detail(reply: httpx.Response) -> tuple[str, str, str] | None:
    try:
        found: Any = json.loads(reply.content)["error"]
        return str(found["code"]), str(found["message"]), str(found.get("hint", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _by_code() -> dict[str, type[LookalikeError]]:
    kinds = (getattr(errors, name) for name in errors.__all__)
    return {kind.code: kind for kind in kinds}
