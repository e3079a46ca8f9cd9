"""Subscription to Redis channels that is renewed when it is lost.

redis-py's own reconnecting is off (bot.stores.redis_client): notices sent while the subscription
was down are lost, so its user must learn of the gap and read again. Nothing may depend on a notice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from bot.errors import StoreUnavailable
from bot.stores.set_aside import raised_at
from bot.stores.tasks import not_cancelled

LOG = structlog.get_logger(__name__)
FIRST_PAUSE_S = 0.2
"""Pause before subscribing again; doubles while that fails."""
LONGEST_PAUSE_S = 5.0
Take = Callable[[str, str], None]


def _nothing(*_: object) -> None: ...


class Subscription:
    """Subscription to channels of one client; also works on a cluster.

    Args:
        name: Name of the subscriber, for the log.
        channels: Subscribed from the start; at least one, since redis-py needs one to listen.
        take: Called with the channel and the body of each notice. Its unexpected errors are
            logged, and the next notice is taken.
        begun: Called whenever `channels` are subscribed again.
        confirmed: Called with a channel's name when the server says that it is subscribed.
        lost: Called when the subscription ends, also at the stop.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        name: str,
        channels: tuple[str, ...],
        take: Take,
        *,
        begun: Callable[[], None] = _nothing,
        confirmed: Callable[[str], None] = _nothing,
        lost: Callable[[], None] = _nothing,
    ) -> None:
        self._redis = client
        self._name = name
        self._channels = channels
        self._take = take
        self._begun, self._confirmed, self._lost = begun, confirmed, lost
        self._pubsub: redis.asyncio.client.PubSub | None = None

    async def run(self) -> None:
        """Receive notices until cancelled."""
        self._pause_s = FIRST_PAUSE_S
        while not_cancelled():
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                LOG.warning("listening.lost", name=self._name, reason=str(error))
            except Exception:
                # If this task ended, no notice would reach this process any more.
                LOG.exception("listening.failed", name=self._name)
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)

    async def subscribe(self, channel: str) -> None:
        """Subscribe one more channel until the subscription is lost; `confirmed` follows.

        Raises:
            StoreUnavailable: There is no subscription at the moment.
        """
        if self._pubsub is None:
            raise StoreUnavailable("redis", "no subscription at the moment")
        await _command(self._pubsub.subscribe(channel))

    async def unsubscribe(self, channel: str) -> None:
        """Unsubscribe a channel; without a subscription nothing is to do.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        if self._pubsub is not None:
            await _command(self._pubsub.unsubscribe(channel))

    async def _listen(self) -> None:
        pubsub = self._redis.pubsub()
        try:
            await pubsub.subscribe(*self._channels)
            self._pubsub = pubsub
            self._pause_s = FIRST_PAUSE_S
            self._begun()
            async for notice in pubsub.listen():
                self._hear(notice)
        finally:
            self._pubsub = None
            self._lost()
            with contextlib.suppress(RedisError, OSError, RuntimeError):
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    def _hear(self, notice: dict[str, Any]) -> None:
        channel = str(notice["channel"])
        try:
            if notice["type"] == "subscribe":
                self._confirmed(channel)
            elif notice["type"] == "message":
                self._take(channel, str(notice["data"]))
        except Exception as error:
            # Without the error's text, which may quote the notice.
            LOG.error(
                "notice.failed",
                name=self._name,
                channel=channel,
                error=type(error).__name__,
                at=raised_at(error),
            )


async def _command(call: Awaitable[None]) -> None:
    try:
        await call
    except (RedisError, OSError) as error:
        raise StoreUnavailable("redis", str(error)) from error
