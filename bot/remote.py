"""Client address of a request, behind our own proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

import structlog
from aiohttp import web

LOG = structlog.get_logger(__name__)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOCAL = "local"
"""Address of a client on a Unix socket, which has none."""
UNKNOWN = "unknown"
"""Address of a client for whom a proxy gave none."""
_LONGEST_ADDRESS = 64
_LINE_BITS = 64
"""Length of the prefix an IPv6 customer usually gets, with all its addresses."""


def address_of(request: web.Request, trusted: Sequence[str]) -> str:
    """Return the `client_address` of a request."""
    forwarded_for = request.headers.get("X-Forwarded-For", "")
    if forwarded_for:
        UNTRUSTED.note(request.remote or LOCAL, trusted)
    return client_address(request.remote, forwarded_for, trusted)


class Untrusted:
    """Notices a proxy that `TRUSTED_PROXIES` does not name: its customers count as one address.

    Any client can send the header as well, so it is said once, and nothing depends on it.
    """

    def __init__(self) -> None:
        self.address = ""
        """The first address that sent X-Forwarded-For without being trusted; empty so far."""

    def note(self, sender: str, trusted: Sequence[str]) -> None:
        if self.address or is_trusted(sender, trusted):
            return
        self.address = counted_as(sender)
        LOG.warning("proxy.untrusted", address=self.address, setting="TRUSTED_PROXIES")


def warn_of_unnamed_proxy(public_url: str, trusted: Sequence[str]) -> None:
    """Say at the start that all customers will count as one address.

    We speak no TLS: who is reached by https is behind a proxy.
    """
    if public_url.startswith("https://") and not trusted:
        LOG.warning("proxy.unnamed", public_url=public_url, setting="TRUSTED_PROXIES")


UNTRUSTED = Untrusted()
"""Of this process."""


def is_local(request: web.Request) -> bool:
    """Tell whether a request was made on this machine, and by no web page of another host.

    A proxy on this machine adds one of the headers, or passes on the host it was asked for.
    """
    try:
        host = request.url.host or ""
    except ValueError:
        return False
    sender = _parsed((request.remote or "")[:_LONGEST_ADDRESS])
    if sender is None or not sender.is_loopback:
        return False
    if any(name.lower().startswith(_PROXY_HEADERS) for name in request.headers):
        return False
    asked_for = _parsed(host[:_LONGEST_ADDRESS])
    return host.lower() == "localhost" or (asked_for is not None and asked_for.is_loopback)


_PROXY_HEADERS = ("x-forwarded-", "forwarded", "via", "x-real-ip", "cf-", "true-client-ip")


def client_address(remote: str | None, forwarded_for: str, trusted: Sequence[str]) -> str:
    """Return the address a request comes from.

    Args:
        remote: Other end of the connection.
        forwarded_for: The X-Forwarded-For header; anybody can write one, so it counts only as far
            as trusted proxies appended to it.
        trusted: Addresses or networks of our proxies.
    """
    address = remote or LOCAL
    for hop in reversed([part.strip() for part in forwarded_for.split(",") if part.strip()]):
        if not is_trusted(address, trusted):
            break
        address = hop
    return counted_as(address)


def counted_as(address: str) -> str:
    """Return the address limits count by: without port; for IPv6 its /64."""
    if address == LOCAL:
        return LOCAL
    parsed = _parsed(address[:_LONGEST_ADDRESS])
    if parsed is None:
        return UNKNOWN
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((int(parsed), _LINE_BITS), strict=False))


def is_trusted(address: str, trusted: Sequence[str]) -> bool:
    """Tell whether an address is one of our own proxies."""
    if not trusted:
        return False
    # A client of a Unix socket is on this machine: our proxy.
    if address == LOCAL:
        return True
    parsed = _parsed(address[:_LONGEST_ADDRESS])
    return parsed is not None and any(parsed in network for network in _networks(tuple(trusted)))


@lru_cache(64)
def _networks(trusted: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(entry, strict=False) for entry in trusted)


@lru_cache(4096)
def _parsed(text: str) -> Address | None:
    """Parse an address as proxies write it: with a port, in brackets, IPv4 within IPv6."""
    host = text.strip().strip('"')
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
