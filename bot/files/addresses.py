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
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC = tuple(
    map(
        ipaddress.IPv6Network,
        # Teredo and other protocol assignments, benchmarking, ORCHID; documentation; 6to4; the
        # former 6bone; segment routing. Those of IANA's registry within 2000::/3.
        ("2001::/23", "2001:db8::/32", "2002::/16", "3ffe::/16", "3fff::/20"),
    )
)
"""https://www.iana.org/assignments/iana-ipv6-special-registry; NAT64 (64:ff9b::) and all other
translations lie outside global unicast."""


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
    """Tell whether an IP address is on the public internet.

    Of IPv6 only global unicast is, without the ranges that lead elsewhere: an address in a tunnel
    or a translation stands for another one, which somebody on the way may take into our network.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            # How a socket of both families names an IPv4 address; nothing translates it.
            return is_public(str(address.ipv4_mapped))
        if address not in _GLOBAL_UNICAST or any(address in part for part in _NOT_PUBLIC):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
