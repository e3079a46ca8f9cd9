"""The inbox: messages are stored in it before their webhook is answered, then handled in order.

The ingress writes with `Inbox`. The engine reads with `InboxReader`: from the shards this process
holds, each conversation's messages in order, one at a time, different conversations side by side.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import redis.asyncio
import structlog

from bot.errors import LeaseLost, StoreUnavailable
from bot.stores import redis_keys
from bot.stores.packing import pack
from bot.stores.redis_batches import Script, batches_of
from bot.stores.redis_client import guarded
from bot.streams import attempts
from bot.streams.lease import GRANT, Grant, Leases
from bot.streams.messages import Inbound
from bot.streams.shards import Row, ShardReader
from bot.streams.ticket import Ticket

LOG = structlog.get_logger(__name__)

MOST_CONVERSATIONS = 256
"""Conversations handled at once; the rest of a backlog stays in Redis, not in memory."""
LONG = 600
"""Characters beyond which a message is read after shorter ones, and takes no room from them."""
MOST_LONG = 1024
"""Conversations handled at once, those with a long message included."""
MOST_OWED = 10_000
RETRY_S = (0.05, 0.2, 0.5, 1.0, 2.0)
"""Pauses before a failed message is tried again."""

ALLOWED = 60
"""Messages of one customer per minute that are read; nobody types faster, and a program that writes
to itself costs the others nothing. Channels that can tell the writer may refuse earlier."""
WINDOW_S = 60
UNLIMITED = 1_000_000_000

# KEYS: seen, inbox, count. ARGV: seen ttl, inbound JSON, allowance, its window. One script, so that
# a message is never marked as seen without being in the inbox. Beyond the allowance the JSON object
# gets one more field, `Inbound.excess`.
_ACCEPT = Script("""
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then return 0 end
local count = redis.call('INCR', KEYS[3])
if count == 1 then redis.call('EXPIRE', KEYS[3], ARGV[4]) end
local body = ARGV[2]
if count > tonumber(ARGV[3]) then body = string.sub(body, 1, -2) .. ',"excess":true}' end
redis.call('XADD', KEYS[2], '*', 'body', body)
return 1
""")

Handle = Callable[[Inbound, Ticket], Awaitable[None]]


class Inbox:
    """Writer of the inbox; stores each message once."""

    def __init__(self, client: redis.asyncio.Redis, shards: int) -> None:
        self._redis = client
        self._shards = shards

    async def accept(self, inbound: Inbound) -> bool:
        """Store a message from a customer.

        Returns:
            False when this message is stored already.

        Raises:
            StoreUnavailable: It is not stored; the sender must try again.
        """
        shard = redis_keys.shard_of(inbound.conversation, self._shards)
        keys = [
            redis_keys.seen(shard, inbound.id),
            redis_keys.inbox(shard),
            redis_keys.written(shard, inbound.conversation, int(time.time()) // WINDOW_S),
        ]
        body = pack(inbound.to_dict())
        # Who waits for the replies is a program on this machine, and cannot do without.
        allowed = UNLIMITED if inbound.awaited else ALLOWED
        values = (redis_keys.SEEN_TTL_S, body, allowed, WINDOW_S)
        return bool(await guarded(batches_of(self._redis).script(_ACCEPT, keys, *values)))


class InboxReader:
    """Reader of the inbox: passes the rows of shards held by `leases` to `handle`.

    Args:
        hold_s: How long messages of vendors that number them are held back (REORDER_HOLD_MS).
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        leases: Leases,
        handle: Handle,
        *,
        hold_s: float = 0.0,
    ) -> None:
        self._redis = client
        self._leases = leases
        self._handle = handle
        self._owed: OrderedDict[tuple[int, str], int] = OrderedDict()
        """Shard and row → change of its count that Redis did not take."""
        self._reader = ShardReader(
            client,
            leases,
            redis_keys.inbox,
            self._work,
            most_conversations=MOST_CONVERSATIONS,
            most_slow=MOST_LONG,
            hold_s=hold_s,
        )

    async def run(self) -> None:
        """Read until cancelled; rows in progress are finished first."""
        await self._reader.run(finish=True)

    async def _work(self, row: Row) -> None:
        inbound = Inbound.from_dict(row.body)
        ticket = Ticket(row.shard, row.id, row.lease)
        GRANT.set(Grant(self._leases, row.shard, row.lease))
        if len(inbound.text) > LONG:
            self._reader.set_aside(inbound.conversation)
        failed = 0
        while self._leases.held.get(ticket.shard) == ticket.lease:
            is_tried = False
            try:
                await self._pay(ticket)
                is_tried = True
                await self._handle(inbound, ticket)
                return
            except LeaseLost:
                # Hardly the message's fault: a slow machine must not give messages up, as long as
                # it does not go on for ever (attempts.FREE_LOSSES). And only this grant is lost;
                # by now we may hold the shard under a newer one.
                self._leases.lose(ticket.shard, ticket.lease)
                away = self._leases.ended_by_outage(ticket.shard, ticket.lease)
                await self._uncount(ticket, 0 if away else attempts.LOST)
                return
            except StoreUnavailable as error:
                LOG.warning("message.delayed", conversation=inbound.conversation, reason=str(error))
                if is_tried:
                    await self._uncount(ticket)
            except Exception:
                LOG.exception("message.failed", conversation=inbound.conversation)
            await asyncio.sleep(RETRY_S[min(failed, len(RETRY_S) - 1)])
            failed += 1

    async def _uncount(self, ticket: Ticket, loss: int = 0) -> None:
        """Do not count the try: an absent store is not the message's fault.

        Args:
            loss: `attempts.LOST` to count a lost lease instead.
        """
        key = (ticket.shard, ticket.row)
        self._owed[key] = self._owed.get(key, 0) + loss - 1
        if len(self._owed) > MOST_OWED:
            self._owed.popitem(last=False)
        with contextlib.suppress(StoreUnavailable):
            await self._pay(ticket)

    async def _pay(self, ticket: Ticket) -> None:
        """Bring a count up to date; what Redis refuses now is owed until the next try."""
        key = (ticket.shard, ticket.row)
        change = self._owed.get(key, 0)
        if change:
            stream = redis_keys.inbox(ticket.shard)
            await attempts.count(self._redis, ticket.shard, stream, ticket.row, change)
            self._owed.pop(key, None)
