"""Ticket: the inbox row a turn belongs to, and the lease it was read under."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ticket:
    """The inbox row a turn handles, with the lease that allows it."""

    shard: int
    row: str
    """Stream id of the inbox row."""
    lease: str
    """`<holder>|<fence>` as it stands in the lease key."""
