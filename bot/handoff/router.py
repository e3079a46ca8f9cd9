"""Runs the matching again whenever it may come out differently; docs/routing.md#running.

One housekeeper of all does it, under a lease; the compare-and-set of each assignment would keep
two from doing harm. Nothing depends on a notice arriving: a slow tick looks anyway.
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
"""Notices that come together are worked off together."""
AT_ONCE = 8
"""Assignments under way at a time."""
AUTOMATIC = "automatic"


class Router:
    """Gives waiting conversations to agents; runs where `ROUTING_MODE` says so."""

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
        self.ear = Subscription(client, "router", (LIVE_CHANNEL, ROUTING_CHANNEL), self._hear)
        """Run it to be woken by what happens."""
        self.aside = SetAside("routing")

    async def turn(self) -> int:
        """`step`, if it is this process's turn to route."""
        return await self.step() if self.leases.held else 0

    async def rest(self, seconds: float) -> None:
        """Wait, but no longer than until something happens that routing may depend on."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
            await asyncio.sleep(COLLECT_S)
        self._wake.clear()

    async def step(self) -> int:
        """Match once; return how many conversations went to somebody."""
        here = await presence.idle_times(self._redis)
        now = time.time()
        made = await self._database.read(
            # On a thread, like the reading.
            lambda c: self._decide(roster.load(c, here, self._away_s), now)
        )
        done = 0
        for start in range(0, len(made), AT_ONCE):
            group = made[start : start + AT_ONCE]
            done += sum(await asyncio.gather(*(self._assign(one) for one in group)))
        return done

    def _decide(self, picture: roster.Roster, now: float) -> list[Match]:
        queue = self._fit(picture.queue)
        try:
            return match(queue, picture.agents, picture.teams, now)
        except Exception:
            # One of them is odd. Alone, each shows whether it is that one.
            for waiting in queue:
                with self.aside.row(waiting.id):
                    match((waiting,), picture.agents, picture.teams, now)
            return match(self._fit(queue), picture.agents, picture.teams, now)

    def _fit(self, queue: Sequence[Waiting]) -> tuple[Waiting, ...]:
        """Those that may be routed: one set aside must take nobody's place."""
        return tuple(waiting for waiting in queue if waiting.id not in self.aside)

    async def _assign(self, chosen: Match) -> bool:
        with self.aside.row(chosen.conversation):
            return await self._route(chosen)
        return False

    async def _route(self, one: Match) -> bool:
        try:
            return await self._service.route(one)
        except StoreUnavailable:
            raise
        except SamvadError as error:
            # Claimed, cancelled or changed since it was read; the next run sees it as it is.
            log.info("routing.skipped", conversation=one.conversation, reason=type(error).__name__)
            return False

    def _hear(self, channel: str, body: str) -> None:
        if channel == ROUTING_CHANNEL or '"state"' in body:
            self._wake.set()
