"""How many may stay open at once: beyond it the one that has been open longest goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from aiohttp import web

PER_CONVERSATION = 20
"""Open windows of one conversation, and long polls; customers have a tab or two."""


class Crowd:
    """What is open in this process, counted by whose it is.

    Args:
        most: Of one owner.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[str, dict[asyncio.Timeout, None]] = {}

    @contextlib.contextmanager
    def joined(self, owner: str, stay: asyncio.Timeout) -> Iterator[None]:
        """Count one more while the context lasts.

        Args:
            stay: The time the newcomer may stay, entered and without an end. When others come
                and there are too many, it ends at once.
        """
        present = self._open.setdefault(owner, {})
        present[stay] = None
        if len(present) > self._most:
            oldest = next(iter(present))
            del present[oldest]
            if not oldest.expired():  # another crowd may have ended it, and it is on its way out
                oldest.reschedule(asyncio.get_running_loop().time())
        try:
            yield
        finally:
            present.pop(stay, None)
            if not present and self._open.get(owner) is present:
                del self._open[owner]


@dataclass(frozen=True)
class Crowds:
    """Open windows or polls, by conversation and by address."""

    of_conversation: Crowd
    of_address: Crowd

    @classmethod
    def of(cls, most_per_address: int) -> Crowds:
        return cls(Crowd(PER_CONVERSATION), Crowd(most_per_address))


WINDOWS = web.AppKey("webchat_windows", Crowds)
POLLS = web.AppKey("webchat_polls", Crowds)
