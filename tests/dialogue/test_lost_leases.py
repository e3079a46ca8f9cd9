"""A message under way whenever leases are lost is given up in the end, not tried for ever."""

from __future__ import annotations

import sqlalchemy as sa
from talk import LEASE, Talk

from bot.stores import redis_keys
from bot.stores.tables import dead_letters
from bot.streams import attempts
from bot.streams.attempts import FREE_LOSSES, LOST
from bot.streams.inbox import InboxReader
from bot.streams.lease import Leases
from bot.streams.messages import Inbound
from bot.streams.shards import Row
from bot.streams.ticket import Ticket


async def _try(talk: Talk, message: Inbound, ticket: Ticket, *, is_lost: bool) -> None:
    """Work on the row once, as an engine does that holds the shard or has just lost it."""
    key = redis_keys.lease(ticket.shard, "engine")
    leases = Leases(talk.redis, "engine", "engine-0", talk.settings.shards, 60.0)
    leases.held = {ticket.shard: LEASE}
    reader = InboxReader(talk.redis, leases, talk.handler.handle)
    await talk.redis.set(key, "engine-1|2" if is_lost else LEASE)
    await reader._work(Row(ticket.shard, ticket.row, LEASE, message.to_dict()))
    await talk.redis.set(key, LEASE)
    assert (ticket.shard in leases.held) is not is_lost


async def test_a_message_that_loses_every_lease_goes_to_the_dead_letters(talk: Talk) -> None:
    message = talk.message("where is my order")
    ticket = await talk.arrive(message)
    for _ in range(FREE_LOSSES + talk.settings.attempts):
        await _try(talk, message, ticket, is_lost=True)
        assert await talk.replies(message) == []
    await _try(talk, message, ticket, is_lost=False)
    assert [reply.utter for reply in await talk.replies(message)], "the customer is told"
    await talk.recorded()
    letters = talk.database.call(lambda c: c.execute(sa.select(dead_letters.c.id)).scalars().all())
    assert list(letters) == [message.id]
    assert await talk.redis.hgetall(redis_keys.attempts(ticket.shard)) == {}


async def test_a_slow_machine_alone_gives_no_message_up(talk: Talk) -> None:
    message = talk.message("where is my order")
    ticket = await talk.arrive(message)
    for _ in range(FREE_LOSSES + talk.settings.attempts - 1):
        await _try(talk, message, ticket, is_lost=True)
    await _try(talk, message, ticket, is_lost=False)
    assert (await talk.replies(message))[-1].text == "It is on its way."


def test_losses_count_as_tries_only_beyond_the_free_ones() -> None:
    assert attempts.read(2) == (2, 0)
    assert attempts.read(FREE_LOSSES * LOST + 1) == (1, FREE_LOSSES)
    assert attempts.read((FREE_LOSSES + 2) * LOST + 1) == (3, FREE_LOSSES + 2)
