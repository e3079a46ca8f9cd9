"""Runs the matching again whenever it may come out differently; docs/routing.md#running.

One housekeeper of all does it, under a lease; the compare-and-set of each assignment would keep
two from doing harm. Nothing depends on a notice arriving: a slow tick looks anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable

import redis
import redis.asyncio
import structlog

from bot.errors import SamvadError, StoreUnavailable
from bot.handoff.service import HandoffService
from bot.routing import presence, roster
from bot.routing.match import match
from bot.routing.model import Match
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.redis_keys import LIVE_CHANNEL, ROUTING_CHANNEL
from bot.stores.tasks import goes_on
from bot.streams.lease import Leases

log = structlog.get_logger()

TICK_S = 5.0
COLLECT_S = 0.05
"""Notices that come together are worked off together."""
AT_ONCE = 8
"""Assignments under way at a time."""
RETRY_S = 2.0
AUTOMATIC = "automatic"


class Router:
    """Gives waiting conversations to agents, where `ROUTING_MODE` says so."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        client: redis.asyncio.Redis,
        service: HandoffService,
        holder: str,
    ) -> None:
        self._settings = settings
        self._database = database
        self._redis = client
        self._service = service
        self._wake = asyncio.Event()
        self.leases = Leases(client, "router", holder, 1, settings.lease_s)

    async def run(self) -> None:
        """Route until cancelled."""
        if self._settings.routing_mode != AUTOMATIC:
            return
        await _together(self.leases.keep(), self._listen(), self._work())

    async def step(self) -> int:
        """Match once; return how many conversations went to somebody."""
        here = await presence.here(self._redis)
        now, away_s = time.time(), self._settings.away_after_s
        made = await self._database.read(
            lambda c: _decide(roster.load(c, here, away_s), now)  # on a thread, like the reading
        )
        done = 0
        for start in range(0, len(made), AT_ONCE):
            group = made[start : start + AT_ONCE]
            done += sum(await asyncio.gather(*(self._assign(one) for one in group)))
        return done

    async def _assign(self, one: Match) -> bool:
        try:
            return await self._service.route(one)
        except StoreUnavailable:
            raise
        except SamvadError as error:
            # Claimed, cancelled or changed since it was read; the next run sees it as it is.
            log.info("routing.skipped", conversation=one.conversation, reason=type(error).__name__)
            return False

    async def _work(self) -> None:
        while goes_on():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._wake.wait()
                await asyncio.sleep(COLLECT_S)
            self._wake.clear()
            if not self.leases.held:
                continue
            try:
                await self.step()
            except StoreUnavailable as error:
                log.warning("routing.delayed", reason=str(error))
                await asyncio.sleep(RETRY_S)
            except Exception:
                # The outermost loop of this task: one odd row must not end the routing.
                log.exception("routing.failed")
                await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        while goes_on():
            pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
            try:
                await pubsub.subscribe(LIVE_CHANNEL, ROUTING_CHANNEL)
                async for message in pubsub.listen():
                    if message["channel"] == ROUTING_CHANNEL or '"state"' in message["data"]:
                        self._wake.set()
            except (redis.ConnectionError, redis.TimeoutError) as error:
                log.warning("routing.deaf", reason=str(error))
            finally:
                with contextlib.suppress(redis.RedisError, OSError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(RETRY_S)


def _decide(picture: roster.Picture, now: float) -> list[Match]:
    return match(picture.queue, picture.seats, picture.teams, now)


async def _together(*work: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
