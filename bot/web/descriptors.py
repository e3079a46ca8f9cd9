"""File descriptors: each connection takes one, and a process without any can do nothing at all."""

from __future__ import annotations

import contextlib
import resource
from dataclasses import dataclass

import structlog

LOG = structlog.get_logger(__name__)
MOST = 1_048_576
"""Asked for where the system names no limit."""
SCARCE = 0.8
"""Share in use that is worth a warning."""
WARN_AGAIN_S = 60.0


def raise_limit() -> int:
    """Raise the soft limit of this process, and of those it starts, to the hard one.

    Returns:
        The limit that holds now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return limit()


def limit() -> int:
    """Descriptors this process may have."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST if soft == resource.RLIM_INFINITY else soft


def reserve_of(most: int) -> int:
    """How many of so many connections may not take: for the stores, files and the log."""
    return min(256, most // 8)


@dataclass
class Descriptors:
    """Watches how many are in use.

    The system gives the lowest that is free, so a new one's number tells how many there are.
    """

    most: int
    _warned_at: float = float("-inf")

    def has_room(self, newest: int, now: float) -> bool:
        """Tell whether a connection may keep its descriptor; warns when they get scarce.

        Args:
            newest: The connection's descriptor.
            now: Seconds of a clock that never goes back.
        """
        if newest >= self.most * SCARCE and now - self._warned_at >= WARN_AGAIN_S:
            self._warned_at = now
            LOG.warning("descriptors.scarce", in_use=newest, limit=self.most)
        return newest < self.most - reserve_of(self.most)
