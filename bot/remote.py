"""Where a request comes from, which our own proxies tell and nobody else may."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from aiohttp import web

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def address_of(request: web.Request, trusted: Sequence[str]) -> str:
    """`client_address` of a request."""
    return client_address(request.remote, request.headers.get("X-Forwarded-For", ""), trusted)


def client_address(remote: str | None, forwarded_for: str, trusted: Sequence[str]) -> str:
    """Tell where a request comes from.

    Args:
        remote: Other end of the connection.
        forwarded_for: The X-Forwarded-For header; anybody can write one, so it counts only as far
            as trusted proxies appended to it.
        trusted: Addresses or networks of our proxies.
    """
    networks = [ipaddress.ip_network(entry, strict=False) for entry in trusted]
    address = remote or "local"
    for hop in reversed([part.strip() for part in forwarded_for.split(",") if part.strip()]):
        if not _within(address, networks):
            break
        address = hop
    return address[:64]


def _within(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        # A Unix socket has no address; whoever connects to one is on this machine, our proxy.
        return address == "local" and bool(networks)
    return any(parsed in network for network in networks)
