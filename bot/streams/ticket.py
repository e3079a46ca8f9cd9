"""The right to work on one row of an inbox."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ticket:
    """The right to work on an inbox row."""

    shard: int
    row: str
    """Stream id of the inbox row."""
    lease: str
    """`<holder>|<fence>` as it stands in the lease key."""
