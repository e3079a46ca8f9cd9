"""Agents' typing indicators, shown to customers of vendors.

Desks tell each other who writes (pub/sub, nothing depends on it); the sender that holds a
conversation's shard tells its vendor. The widget's ingress listens for itself.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import redis.asyncio
import structlog

from bot.conversation.states import State
from bot.errors import DeliveryFailed, StoreUnavailable
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.set_aside import SetAside
from bot.stores.subscription import Subscription
from bot.streams.lease import Leases
from channels.kit.copies import Copies

LOG = structlog.get_logger(__name__)
AT_ONCE = 16
"""Signs on their way; more are left out."""
KNOWN = 4096


@runtime_checkable
class ShowsTyping(Protocol):
    """Interface of a client that can show a typing indicator."""

    async def show_typing(self, account: str, vendor_user: str) -> None:
        """Show it once.

        Raises:
            DeliveryFailed: The vendor did not take it; nothing depends on it.
        """


class TypingShown:
    """Shows agents' typing to customers in the shards held by `leases`.

    Args:
        channels: Clients by channel.
        again_s: Seconds after which a channel's sign is shown again; one without is left out.
    """

    def __init__(
        self,
        settings: Settings,
        client: redis.asyncio.Redis,
        leases: Leases,
        channels: Mapping[str, Any],
        again_s: Mapping[str, float],
    ) -> None:
        self._leases = leases
        shows = {n: c for n, c in channels.items() if isinstance(c, ShowsTyping)}
        self._channels = {name: client for name, client in shows.items() if name in again_s}
        self._again_s = again_s
        self._copies = Copies(settings, client)
        self._shown: OrderedDict[str, float] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ear = Subscription(client, "typing", (redis_keys.LIVE_CHANNEL,), self._hear)
        self.aside = SetAside("typing")

    async def run(self) -> None:
        """Listen until cancelled."""
        try:
            await self._ear.run()
        finally:
            for task in self._tasks:
                task.cancel()

    def _hear(self, _channel: str, body: str) -> None:
        self.take(body)

    def take(self, body: str) -> None:
        """Take a notice of the desks; most are about other things."""
        try:
            notice = json.loads(body)
        except ValueError:
            return
        if not isinstance(notice, dict) or notice.get("what") != "typing":
            return
        conversation, now = str(notice.get("conversation", "")), time.monotonic()
        channel = conversation.partition("-")[0]
        if channel not in self._channels or len(self._tasks) >= AT_ONCE:
            return
        if conversation in self.aside:
            return
        shard = redis_keys.shard_of(conversation, self._leases.shards)
        if (
            shard not in self._leases.held
            or now < self._shown.get(conversation, 0.0) + self._again_s[channel]
        ):
            return
        self._shown[conversation] = now
        self._shown.move_to_end(conversation)
        if len(self._shown) > KNOWN:
            self._shown.popitem(last=False)
        task = asyncio.create_task(self._show(conversation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _show(self, conversation: str) -> None:
        try:
            with self.aside.row(conversation):
                await self._tell(conversation)
        except StoreUnavailable as error:
            LOG.debug("typing.not_shown", reason=str(error))

    async def _tell(self, conversation: str) -> None:
        try:
            copy = await self._copies.of(conversation)
            client = self._channels.get(str(copy.get("channel", "")))
            # The bot's and the queue's conversations show nobody: there is nobody.
            if client is None or copy.get("state") != State.ASSIGNED.value:
                return
            await client.show_typing(str(copy["account"]), str(copy["vendor_user"]))
        except (DeliveryFailed, KeyError) as error:
            LOG.debug("typing.not_shown", reason=str(error))
