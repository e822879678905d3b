"""When a request is sent again, and after how long."""

from __future__ import annotations

import email.utils
import logging
import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import errors
from ..errors import BadInput, LookalikeError, ServiceError
from .calls import Call

if TYPE_CHECKING:
    import httpx

__all__ = ["Failure", "Retries", "retry_after_s"]

log = logging.getLogger("lookalike.client")

FIRST_S = 0.25  # the first pause; each further one is twice as long
MOST_S = 8.0
_TOLD_S = 1.0  # a pause that a person is told of
_GATEWAY = (502, 504)  # of a proxy whose server went away: it may have carried the request out


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with one attempt.

    Attributes:
        error: what the caller gets where it is not tried again.
        passing: it may go well later.
        untouched: the server surely did nothing.
        after_s: the seconds that the server asked to wait for; None: it said nothing.
    """

    error: LookalikeError
    passing: bool
    untouched: bool
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and how long to wait in between.

    Pauses double from a quarter of a second to 8 s, and are shortened at random by up to a half, so that many clients
    do not come back at the same moment. ``Retry-After`` is waited for in full.

    Attributes:
        most: further attempts after the first.
        longest_wait_s: a server that asks for a longer pause than this is not waited for.
    """

    most: int = 4
    longest_wait_s: float = 30.0

    def __post_init__(self) -> None:
        if self.most < 0 or not self.longest_wait_s >= 0:
            raise BadInput(
                f"retries and longest_wait_s are 0 or more, got {self.most} and {self.longest_wait_s:g}.",
                hint="retries=0 never tries again.",
            )

    def pause_s(self, call: Call, attempt: int, failure: Failure) -> float:
        """Return how long to wait before the next attempt.

        Args:
            call: the request.
            attempt: of those made so far, counted from 0.
            failure: what came of the last one.

        Raises:
            LookalikeError: it is not to be sent again; the failure's own.
        """
        if attempt >= self.most or not failure.passing or not (call.repeatable or failure.untouched):
            raise failure.error
        pause = min(MOST_S, math.ldexp(FIRST_S, attempt)) * random.uniform(0.5, 1.0)
        if failure.after_s is not None:
            if failure.after_s > self.longest_wait_s:
                raise failure.error
            pause = max(pause, failure.after_s)
        if pause >= _TOLD_S:
            log.info("%s Trying again in %.0f s.", failure.error.message, pause)
        return pause


def broken(error: httpx.TransportError, call: Call, server: str) -> Failure:
    """Return what an attempt without an answer means."""
    import httpx

    # A connection that never came about carried nothing; with any other, the request may have arrived.
    untouched = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
    insecure = "[SSL" in str(error)  # a certificate that is not trusted, or a server that speaks plain http
    for_good = insecure or isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError))
    told = str(error).strip().rstrip(".") or type(error).__name__
    if isinstance(error, httpx.TimeoutException) and not untouched:
        failed: ServiceError = errors.TimedOut(
            f"the server at {server} did not answer {call.method} {call.path} in time.", hint="Raise timeout_s."
        )
    elif untouched:
        hint = "Is it http or https? Is the certificate trusted?" if insecure else "Is it running? Check the address."
        failed = errors.Unreachable(f"no server answers at {server}: {told}.", hint=hint)
    else:
        failed = errors.Unreachable(f"the connection to {server} broke: {told}.", hint="Try again.")
    return Failure(failed, passing=not for_good, untouched=untouched)


def refused(reply: httpx.Response, error: LookalikeError, *, ours: bool) -> Failure:
    """Return what an answer that is an error means.

    Args:
        reply: the answer.
        error: the same as an error of ours.
        ours: it has the body that lookalike gives to an error, so that it comes from no proxy.
    """
    after = retry_after_s(reply.headers.get("Retry-After", ""))
    if isinstance(error, ServiceError):
        error.retry_after_s = after
    busy = reply.status_code in (429, 503)
    # Over the time limit, a lookalike server may still be at it: the same again would only add to its work.
    passing = busy or (reply.status_code in _GATEWAY and not ours)
    return Failure(error, passing, untouched=busy and ours, after_s=after if passing else None)


def retry_after_s(text: str) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, given as a number or as a date; None: nothing of use."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, when.timestamp() - time.time())
