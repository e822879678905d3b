"""Who asks, what they may do, and how often."""

from __future__ import annotations

import base64
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request, Security, params
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer

from ..errors import NotAllowed, TooManyRequests
from .keys import ROLES, Role, no_key

__all__ = ["COOKIE", "Buckets", "Caller", "caller_of", "needs", "role_of"]

COOKIE = "lookalike_key"
BURST_S = 10.0  # how many seconds' worth of requests may come at once
_REMEMBERED = 100_000  # callers whose rate is known; more, and the one that was quiet longest is forgotten

# For the OpenAPI document alone: which of them a request used is found out below.
_SCHEMES = [
    Security(HTTPBearer(auto_error=False, description="a key of `lookalike keys`")),
    Security(APIKeyHeader(name="X-API-Key", auto_error=False)),
    Security(APIKeyCookie(name=COOKIE, auto_error=False)),
]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request.

    Attributes:
        name: of the key, or the address where there are no keys.
        role: the most it may do.
    """

    name: str
    role: Role


class Buckets:
    """A token bucket for each caller: ``rate`` requests a second on average, in bursts of ten seconds' worth.

    Args:
        rate: requests a second; 0: no limit.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.burst = max(1.0, rate * BURST_S)
        self._guard = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # name -> (tokens, when)

    def take(self, name: str, now: float | None = None) -> None:
        """Take one token.

        Raises:
            TooManyRequests: there is none; it says when there will be.
        """
        if self.rate <= 0:
            return
        now = time.monotonic() if now is None else now
        with self._guard:
            tokens, last = self._left.pop(name, (self.burst, now))
            tokens = min(self.burst, tokens + (now - last) * self.rate)
            allowed = tokens >= 1
            self._left[name] = (tokens - 1 if allowed else tokens, now)
            if len(self._left) > _REMEMBERED:
                self._left.popitem(last=False)
        if not allowed:
            raise TooManyRequests(
                f"more than {self.rate:g} requests a second.",
                hint="Slow down; see the Retry-After header.",
                retry_after_s=(1 - tokens) / self.rate,
            )


def key_of(request: Request) -> str:
    """Return the key that a request gives, in whichever place; empty for none."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and given:
        return given.strip()
    if scheme.lower() == "basic" and given:  # for programs that take nothing but a URL: http://any:KEY@host/
        return _password(given)
    return request.headers.get("x-api-key") or request.cookies.get(COOKIE, "")


def _password(given: str) -> str:
    try:
        return base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def caller_of(request: Request) -> Caller:
    """Return who sent a request.

    Raises:
        NotAllowed: it has no key, or a wrong one.
    """
    keys = request.app.state.service.keys
    if not keys.needed:
        return Caller(request.client.host if request.client else "local", "admin")
    given = key_of(request)
    if not given:
        raise no_key("this server needs a key.")
    key = keys.find(given)
    return Caller(key.name, key.role)


def needs(role: Role) -> list[params.Depends]:
    """Return the dependencies of a route that only callers of this role may use."""

    async def check(request: Request) -> None:
        caller = caller_of(request)
        request.state.caller = caller
        if ROLES.index(caller.role) < ROLES.index(role):
            raise NotAllowed(
                f"the key {caller.name!r} may {caller.role}, and this needs {role}.", hint="Use another key."
            )
        service = request.app.state.service
        (service.search_rate if role == "search" else service.write_rate).take(caller.name)

    return [Security(check, scopes=[role]), *_SCHEMES]


def role_of(dependencies: Sequence[params.Depends]) -> str:
    """Return the role that the dependencies of a route ask for; empty: none."""
    scopes = [scope for each in dependencies if isinstance(each, params.Security) for scope in each.scopes or ()]
    return scopes[0] if scopes else ""
