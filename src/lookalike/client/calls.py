"""What a client asks of a server, apart from how it is sent: the synchronous and the asynchronous client share it."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote

from ..errors import BadInput

if TYPE_CHECKING:
    import httpx

    Reply: TypeAlias = httpx.Response
else:
    Reply = Any

__all__ = ["Call", "Reply", "Work", "as_json", "path_of"]

T = TypeVar("T")

# A piece of work: yields what to ask, is sent the answer (or has the error thrown into it), and returns what it made.
Work: TypeAlias = Generator["Call", Reply, T]


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One request.

    Attributes:
        method, path: the path is relative to the server's address.
        body: what becomes the JSON of the request, or of its field ``request`` where files go with it; None: nothing.
        files: field -> bytes.
        params: of the query string.
        repeatable: sending it twice leaves the server as sending it once does, so that it may be sent again also where
            nobody knows whether the first one was carried out.
        accept: statuses that are no errors, beside those below 300.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    params: Mapping[str, str | int] = field(default_factory=dict)
    repeatable: bool = True
    accept: tuple[int, ...] = ()

    def content(self) -> dict[str, Any]:
        """Return the arguments that httpx takes for the body.

        Raises:
            BadInput: a value that JSON does not have.
        """
        if self.files:
            files = {name: (name, data, "application/octet-stream") for name, data in self.files.items()}
            return {"files": files, "data": {"request": as_json(self.body or {})}}
        if self.body is None:
            return {}
        return {"content": as_json(self.body).encode(), "headers": {"Content-Type": "application/json"}}


def as_json(value: Mapping[str, Any]) -> str:
    """Return JSON, without NaN and infinity.

    Raises:
        BadInput: a value that JSON does not have.
    """
    try:
        return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise BadInput(f"a request must be values that JSON has: {error}.") from None


def path_of(*parts: str) -> str:
    """Return a path of the API, its parts escaped."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)
