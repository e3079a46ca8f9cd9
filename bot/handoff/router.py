"""Router: runs the matching when something changes, and regularly; docs/routing.md#running.

One of the housekeepers does it, under a lease; the compare-and-set of each assignment makes a
second one harmless. Nothing depends on a notice arriving: it also runs every `TICK_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

import redis.asyncio
import structlog

from bot.errors import SamvadError, StoreUnavailable
from bot.handoff.service import HandoffService
from bot.routing import presence, roster
from bot.routing.match import match
from bot.routing.model import Match, Waiting
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.redis_keys import LIVE_CHANNEL, ROUTING_CHANNEL
from bot.stores.set_aside import SetAside
from bot.stores.subscription import Subscription
from bot.streams.lease import Leases

log = structlog.get_logger()

TICK_S = 5.0
COLLECT_S = 0.05
"""Time in which notices are collected for one run."""
AT_ONCE = 8
"""Assignments made at the same time."""
AUTOMATIC = "automatic"


class Router:
    """Router of waiting conversations to agents; runs where `ROUTING_MODE` says so."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        client: redis.asyncio.Redis,
        service: HandoffService,
        holder: str,
    ) -> None:
        self._away_s = settings.away_after_s
        self._database = database
        self._redis = client
        self._service = service
        self._wake = asyncio.Event()
        self.leases = Leases(client, "router", holder, 1, settings.lease_s)
        self.subscription = Subscription(
            client, "router", (LIVE_CHANNEL, ROUTING_CHANNEL), self._hear
        )
        """Subscription that wakes the router; a task must run it."""
        self.aside = SetAside("routing")

    async def turn(self) -> int:
        """Run `step` if this process holds the lease."""
        return await self.step() if self.leases.held else 0

    async def rest(self, seconds: float) -> None:
        """Wait, but no longer than until something changes that routing depends on."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
            await asyncio.sleep(COLLECT_S)
        self._wake.clear()

    async def step(self) -> int:
        """Match once; return how many conversations were assigned."""
        idle_times = await presence.idle_times(self._redis)
        now = time.time()
        matches = await self._database.read(
            # On a thread, like the reading.
            lambda c: self._decide(roster.load(c, idle_times, self._away_s), now)
        )
        assigned = 0
        for start in range(0, len(matches), AT_ONCE):
            group = matches[start : start + AT_ONCE]
            assigned += sum(await asyncio.gather(*(self._assign(chosen) for chosen in group)))
        return assigned

    def _decide(self, current_roster: roster.Roster, now: float) -> list[Match]:
        queue = self._fit(current_roster.queue)
        try:
            return match(queue, current_roster.agents, current_roster.teams, now)
        except Exception:
            # One of them causes an error; matching each alone shows which one.
            for waiting in queue:
                with self.aside.row(waiting.id):
                    match((waiting,), current_roster.agents, current_roster.teams, now)
            return match(self._fit(queue), current_roster.agents, current_roster.teams, now)

    def _fit(self, queue: Sequence[Waiting]) -> tuple[Waiting, ...]:
        """Return the conversations that are not set aside."""
        return tuple(waiting for waiting in queue if waiting.id not in self.aside)

    async def _assign(self, chosen: Match) -> bool:
        with self.aside.row(chosen.conversation):
            return await self._route(chosen)
        return False

    async def _route(self, chosen: Match) -> bool:
        try:
            return await self._service.route(chosen)
        except StoreUnavailable:
            raise
        except SamvadError as error:
            # Claimed, cancelled or changed since it was read; the next run reads it again.
            log.info(
                "routing.skipped", conversation=chosen.conversation, reason=type(error).__name__
            )
            return False

    def _hear(self, channel: str, body: str) -> None:
        if channel == ROUTING_CHANNEL or '"state"' in body:
            self._wake.set()
