"""One subscription per process, fanned out to all open windows.

Redis pub/sub only says "look again"; what is shown comes from the stream, by cursor, so a lost
wake-up costs seconds and never a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import redis.asyncio
import structlog
from aiohttp import web

from bot.errors import StoreUnavailable
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.subscription import Subscription
from channels.webchat.server.history import Tail, read_tail
from channels.webchat.server.settings import NAME

log = structlog.get_logger()

CONFIRM_TIMEOUT_S = 5.0
STOP_AGAIN_S = 1.0
CUSTOMER = "customer"
"""Who writes, in a typing sign on the live channel, when it is no agent."""
_QUEUE_LENGTH = 32


class Listener:
    """One window's ear: wake-ups and passing frames, until the hub loses Redis."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(_QUEUE_LENGTH)
        self.is_lost = False

    def put(self, frame: dict[str, Any] | None) -> None:
        # A full queue holds a wake-up already; a passing frame too many is no loss.
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(frame)

    def lose(self) -> None:
        self.is_lost = True
        self.put(None)

    async def wait(self, timeout_s: float) -> dict[str, Any] | None:
        """Return the next passing frame; None says "look into the stream", also after the timeout.

        Raises:
            StoreUnavailable: The subscription was lost.
        """
        frame = None
        with contextlib.suppress(TimeoutError):
            frame = await asyncio.wait_for(self._queue.get(), timeout_s)
        if self.is_lost:
            raise StoreUnavailable("redis", "the subscription was lost")
        return frame


class Hub:
    """Subscribes for all windows of this process.

    Args:
        client: Commands and the subscription share its pool.
    """

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._listeners: dict[str, set[Listener]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._changing = asyncio.Lock()
        self._redis = client
        self._reads: dict[str, dict[str, asyncio.Task[Tail]]] = {}
        # The live channel is always there, so that the connection has something to listen to.
        self._ear = Subscription(
            client,
            NAME,
            (redis_keys.LIVE_CHANNEL,),
            self._hear,
            confirmed=self._confirm,
            lost=self._lose_all,
        )
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._ear.run(), name="webchat-hub")

    async def stop(self) -> None:
        if self._task is not None:
            # A cancellation that arrives while the driver connects can get lost in it: ask again.
            while not self._task.done():
                self._task.cancel()
                await asyncio.wait([self._task], timeout=STOP_AGAIN_S)
            self._task = None
        self._lose_all()

    @contextlib.asynccontextmanager
    async def listening(self, conversation: str) -> AsyncIterator[Listener]:
        """Listen to a conversation; from here on no wake-up is missed.

        Raises:
            StoreUnavailable: The subscription cannot be made now.
        """
        channel = redis_keys.webchat_channel(conversation)
        listener = Listener()
        self._listeners.setdefault(channel, set()).add(listener)
        try:
            await self._subscribe(channel)
            yield listener
        finally:
            await self._leave(channel, listener)

    async def tail(self, settings: Settings, conversation: str, after: str) -> Tail:
        """Read what came after a cursor: once for all windows that a wake-up sends here.

        Raises:
            StoreUnavailable: Redis is away.
        """
        channel = redis_keys.webchat_channel(conversation)
        reads = self._reads.setdefault(channel, {})
        read = reads.get(after)
        if read is None:
            asked = read_tail(self._redis, settings, conversation, after)
            read = reads[after] = asyncio.create_task(asked, name="webchat-tail")
            read.add_done_callback(lambda done: self._forget_read(channel, reads, after, done))
        return await asyncio.shield(read)

    def _forget_read(
        self,
        channel: str,
        reads: dict[str, asyncio.Task[Tail]],
        after: str,
        done: asyncio.Task[Tail],
    ) -> None:
        reads.pop(after, None)
        if not reads and self._reads.get(channel) is reads:
            del self._reads[channel]
        if not done.cancelled():
            done.exception()  # whoever waited may be gone

    async def _subscribe(self, channel: str) -> None:
        # Under the lock, so that a window that leaves cannot unsubscribe behind one that comes.
        async with self._changing:
            confirmed = self._confirmed.get(channel)
            if confirmed is None:
                # Before the command: its answer may come in while we still wait for the write.
                confirmed = self._confirmed[channel] = asyncio.Event()
                try:
                    await self._ear.subscribe(channel)
                except StoreUnavailable:
                    self._confirmed.pop(channel, None)
                    raise
        try:
            # Only the server's answer says that later wake-ups will reach us.
            await asyncio.wait_for(confirmed.wait(), CONFIRM_TIMEOUT_S)
        except TimeoutError as error:
            raise StoreUnavailable("redis", "the subscription was not confirmed") from error

    async def _leave(self, channel: str, listener: Listener) -> None:
        self._listeners.get(channel, set()).discard(listener)
        async with self._changing:
            if self._listeners.get(channel):
                return
            self._listeners.pop(channel, None)
            if self._confirmed.pop(channel, None) is not None:
                with contextlib.suppress(StoreUnavailable):
                    await self._ear.unsubscribe(channel)

    def _confirm(self, channel: str) -> None:
        if confirmed := self._confirmed.get(channel):
            confirmed.set()

    def _hear(self, channel: str, body: str) -> None:
        try:
            frame = json.loads(body) if body else None
        except ValueError:
            log.warning("webchat.notice_unreadable")
            return
        if channel == redis_keys.LIVE_CHANNEL:
            # The desk speaks of conversations of all channels here; agents' typing is ours to show.
            if not isinstance(frame, dict) or frame.get("what") != "typing":
                return
            if frame.get("user") == CUSTOMER:
                return
            channel = redis_keys.webchat_channel(str(frame.get("conversation")))
            frame = {"type": "typing"}
        if frame is None:
            # A read that is under way may have been answered before what this speaks of.
            self._reads.pop(channel, None)
        for listener in self._listeners.get(channel, ()):
            listener.put(frame)

    def _lose_all(self) -> None:
        self._confirmed.clear()
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.lose()


HUB = web.AppKey("webchat_hub", Hub)
LEAVING = web.AppKey("webchat_leaving", asyncio.Event)
"""Set when the process is asked to stop, so that waiting requests end."""
