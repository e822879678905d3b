"""The address of a collection on a server: ``http://host:port/name``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from ..errors import BadInput

__all__ = ["Address", "is_address"]

_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_API = re.compile(r"/v1(/collections)?/?$")
_HINT = "Write http://HOST:PORT/NAME, with the name of the collection, as `lookalike serve` prints it."


def is_address(text: str) -> bool:
    """Say whether a text names a server and not a folder."""
    return bool(_SCHEME.match(text))


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and which of its collections is meant.

    Attributes:
        server: such as ``http://127.0.0.1:8000``, with the path that a proxy puts in front; no slash at its end.
        collection: its name; empty: the only one on the server.
        user: name and password for a proxy that asks for them, from ``http://NAME:PASSWORD@HOST``; else None.
    """

    server: str
    collection: str = ""
    user: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str, collection: str = "") -> Address:
        """Understand an address.

        Args:
            text: of a collection, whose name is the last part of the path; or of a server, which has no path or, behind
                a proxy, one that ends with a slash. An address of the REST API itself will do too.
            collection: the name; then all of ``text`` is the server's.

        Raises:
            BadInput: it is no http or https URL, or has more behind its path.
        """
        try:
            parts = urlsplit(text.strip())
            port_is_fine = parts.port is None or parts.port > 0
        except ValueError:
            port_is_fine = False
        if not port_is_fine or parts.scheme.lower() not in ("http", "https") or not parts.hostname:
            raise BadInput(f"{text!r} is no address of a server.", hint=_HINT)
        if parts.query or parts.fragment:
            raise BadInput(f"{text!r} has more than the address of a collection.", hint=_HINT)
        path = parts.path
        if not collection and not path.endswith("/"):
            path, _, last = path.rpartition("/")
            collection = unquote(last)
            if collection == "v1" or (collection == "collections" and path.endswith("/v1")):
                path, collection = f"{path}/{collection}", ""
        path = _API.sub("", path).rstrip("/")
        user = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
        return cls(f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2]}{path}", collection, user)

    @property
    def host(self) -> str:
        """Return the name of the host."""
        return urlsplit(self.server).hostname or ""

    @property
    def shown(self) -> str:
        """Return the address, for people."""
        return f"{self.server}/{quote(self.collection)}" if self.collection else self.server
