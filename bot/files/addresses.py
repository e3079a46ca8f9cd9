"""Which addresses the worker may fetch from: a stranger's message names them.

A host must be on the list, and may not lead into our own network, whatever its name resolves to at
the moment of connecting. Only the host of a base address that is a setting of ours may be local:
that is where tests and a Bot API server of one's own are.
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
    """Hosts of one channel's files."""

    base: str = ""
    """Base address of the vendor's API, a setting; its scheme, host and port are allowed as they
    are. Empty for none."""
    domains: tuple[str, ...] = ()
    """Domains allowed with those below them, by https at its usual port."""

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
        """Hosts that may be in our own network."""
        host = URL(self.base).host if self.base else None
        return frozenset({host} if host else ())


class PublicOnly(AbstractResolver):
    """Resolves names to public addresses; the connection then goes to just those.

    Args:
        local: Hosts that may resolve to anything.
    """

    def __init__(self, local: Iterable[str] = ()) -> None:
        self._local = frozenset(local)
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve; a name with one address inside is refused with all of them.

        Raises:
            OSError: Unknown, or not public.
        """
        found = await self._inner.resolve(host, port, family)
        if host not in self._local and not all(is_public(entry["host"]) for entry in found):
            raise OSError(None, "the host is not a public one")
        return found

    async def close(self) -> None:
        await self._inner.close()


def is_public(text: str) -> bool:
    """Tell whether an IP address is of the open internet, also when it hides in an IPv6 one."""
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
