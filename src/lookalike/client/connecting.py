"""What both clients need to reach a server: the key, the settings of the connection, and the verdict on an attempt."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import BadInput
from .address import Address
from .calls import Call
from .replies import error_of
from .retrying import Failure, Retries, broken, refused

if TYPE_CHECKING:
    import httpx

__all__ = ["Route"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CONNECT_S = 10.0
_IDLE_S = 30.0  # below the 75 s after which a server of ours closes a connection that rests


@dataclass(frozen=True, slots=True, repr=False)
class Route:
    """The way to a server.

    Attributes:
        address: where it is.
        key: sent with every request; empty: none.
        timeout_s: seconds without a byte after which an answer is given up.
        retries: when a request is sent again.
    """

    address: Address
    key: str
    timeout_s: float
    retries: Retries

    @classmethod
    def of(cls, address: Address, key: str | None, timeout_s: float, retries: int, longest_wait_s: float) -> Route:
        """Return the way to a server; a key that is None is taken from ``LOOKALIKE_KEY``."""
        if not timeout_s > 0:
            raise BadInput(f"timeout_s must be above 0, got {timeout_s:g}.")
        given = os.environ.get("LOOKALIKE_KEY", "") if key is None else key
        if not (given.isascii() and given.isprintable()):
            raise BadInput("a key is printable ASCII, without line breaks.", hint="`lookalike keys` prints it.")
        return cls(address, given.strip(), timeout_s, Retries(retries, longest_wait_s))

    def settings(self) -> dict[str, Any]:
        """Return the arguments of ``httpx.Client`` and ``httpx.AsyncClient``."""
        import httpx

        from ..images.http import certificates

        headers = {"User-Agent": f"lookalike/{__version__} (python-httpx)", "Accept": "application/json, image/*"}
        if self.key:  # Authorization is taken where a proxy wants a name and a password
            headers |= {"X-API-Key": self.key} if self.address.user else {"Authorization": f"Bearer {self.key}"}
        secure = self.address.server.startswith("https:")
        return {
            "headers": headers,
            "auth": self.address.user,
            "timeout": httpx.Timeout(self.timeout_s, connect=min(_CONNECT_S, self.timeout_s), pool=None),
            "limits": httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=_IDLE_S),
            "verify": certificates() if secure else False,  # over http there is nothing to verify
            "trust_env": self.address.host not in _LOOPBACK,  # no proxy leads to this machine
            "follow_redirects": False,  # the key goes nowhere else
        }

    def request(self, call: Call) -> dict[str, Any]:
        """Return the arguments of ``httpx.Client.request``."""
        url = call.path if "://" in call.path else self.address.server + call.path
        content = call.content()
        return {"method": call.method, "url": url, **({"params": dict(call.params)} if call.params else {}), **content}

    def broken(self, error: httpx.TransportError, call: Call) -> Failure:
        """Return what an attempt without an answer means."""
        return broken(error, call, self.address.server)

    def judged(self, reply: httpx.Response, call: Call) -> Failure | None:
        """Return what is wrong with an answer; None: nothing."""
        if reply.is_success or reply.status_code in call.accept:
            return None
        error, ours = error_of(reply, self.address.server)
        return refused(reply, error, ours=ours)
