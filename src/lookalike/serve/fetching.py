"""Pictures from the web for strangers: nothing of the server's own network can be reached through a URL.

The name is resolved, every address it has is checked, and the connection goes to a checked address, so a name that
means another address a moment later (DNS rebinding) gains nothing. Redirects pass the same check.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import httpx

from ..errors import FetchFailed
from ..images.http import certificates, fetch
from ..images.reading import FetchLimits

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["Fetcher", "GuardedTransport", "Resolve", "is_public", "system_resolver"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]  # host, port -> addresses

# Addresses that carry another one inside, which a gateway on the way may take out: never needed for pictures.
_WRAPPING = [
    ipaddress.ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
]


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, as the operating system knows them.

    Every notation that it takes (2130706433, 0x7f.1, 0177.0.0.1) comes back as a plain address, which is checked.
    """
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Return whether an address lies outside every private, local and special network, or in an allowed one."""
    try:
        found: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if any(found in network for network in allowed if network.version == found.version):
        return True
    if any(found in network for network in _WRAPPING if network.version == found.version):
        return False
    # is_global is false of private, loopback, link-local, shared (CGNAT) and documentation addresses.
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


class GuardedTransport(httpx.BaseTransport):
    """Sends each request to a checked address of its host.

    Args:
        resolve: from host and port to addresses.
        allowed: private networks that are reached all the same.
    """

    def __init__(self, *, resolve: Resolve = system_resolver, allowed: Sequence[Network] = ()) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._inner = httpx.HTTPTransport(verify=certificates(), trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Check and send; certificates are still checked against the name.

        Raises:
            FetchFailed: the host has no address, or one that may not be reached.
        """
        url = request.url
        address = self._address(url.host, url.port or (443 if url.scheme == "https" else 80))
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=address),
            headers=request.headers,  # Host stays the name's
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        return self._inner.handle_request(pinned)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _address(self, host: str, port: int) -> str:
        try:
            found = list(self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise FetchFailed(f"the host {host!r} has no address: {error}.", hint="Check the URL.") from None
        refused = [each for each in found if not is_public(each, self._allowed)]
        if refused or not found:
            # One forbidden address among several is no accident of a public site. Which it was is nobody's business.
            raise FetchFailed(
                f"the host {host!r} is not on the public network, and this server fetches from nowhere else.",
                hint="Upload the picture instead; an operator allows networks with fetch_networks.",
            )
        return found[0]


class Fetcher:
    """Fetches the URLs that queries and records name.

    Args:
        settings: ``fetch_urls``, ``fetch_networks``, ``fetch_limit_s`` and ``max_upload``.
        resolve: from host and port to addresses.
    """

    def __init__(self, settings: Settings, *, resolve: Resolve = system_resolver) -> None:
        self._on = settings.fetch_urls
        self._resolve = resolve
        self._allowed = [ipaddress.ip_network(text) for text in settings.fetch_networks]
        self._limits = FetchLimits(
            max_bytes=settings.max_upload,
            timeout_s=min(10.0, settings.fetch_limit_s),
            total_s=settings.fetch_limit_s,
            max_redirects=4,
        )

    def __call__(self, url: str) -> bytes:
        """Return the bytes behind an http(s) URL.

        Raises:
            FetchFailed: not allowed, not there, too slow, or no picture. ImageTooLarge: over ``max_upload``.
        """
        if not self._on:
            raise FetchFailed("this server fetches no URLs.", hint="Upload the picture instead.")
        transport = GuardedTransport(resolve=self._resolve, allowed=self._allowed)
        try:
            return fetch(url, limits=self._limits, transport=transport)
        finally:
            transport.close()
