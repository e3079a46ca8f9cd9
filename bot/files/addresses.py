"""Addresses the fetcher may use, since a stranger's message names them.

A host must be on the list and may not resolve into our own network at the moment of connecting.
Only the host of a base address from our settings may be local: tests use it, and installations with
their own Bot API server.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

MOST_CHARS = 4096
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Hosts:
    """Hosts that one channel's files may come from."""

    base: str = ""
    """Base address of the vendor's API, a setting; exactly its scheme, host and port are allowed.
    Empty for none."""
    domains: tuple[str, ...] = ()
    """Allowed domains with their subdomains, by https at port 443."""

    def allow(self, address: URL) -> bool:
        """Tell whether a file may be fetched from this address."""
        if not address.host or address.raw_user is not None or len(str(address)) > MOST_CHARS:
            return False
        if self.base and address.origin() == URL(self.base).origin():
            return True
        host = address.host.rstrip(".").lower()
        named = any(host == domain or host.endswith(f".{domain}") for domain in self.domains)
        return named and (address.scheme, address.port) == ("https", 443)

    @property
    def local(self) -> frozenset[str]:
        """Return the hosts that may be in our own network."""
        host = URL(self.base).host if self.base else None
        return frozenset({host} if host else ())


class PublicOnly(AbstractResolver):
    """DNS resolver that returns public addresses only; aiohttp then connects to just those.

    Args:
        local: Hosts that may resolve to any address.
    """

    def __init__(self, local: Iterable[str] = ()) -> None:
        self._local = frozenset(local)
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name; refuse it when one of its addresses is not public.

        Raises:
            OSError: The name is unknown, or not public.
        """
        addresses = await self._inner.resolve(host, port, family)
        if host not in self._local and not all(is_public(entry["host"]) for entry in addresses):
            raise OSError(None, "the host is not a public one")
        return addresses

    async def close(self) -> None:
        await self._inner.close()


def is_public(text: str) -> bool:
    """Tell whether an IP address is on the public internet, also inside an IPv6 address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None:
            inner = address.teredo[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast
