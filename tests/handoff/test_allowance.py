"""An address may fill the queue no more than its allowance says."""

from __future__ import annotations

import builders
import redis.asyncio

from bot.handoff.allowance import WINDOW_S, HandoffAllowance


async def test_the_chats_of_an_address_are_counted_each_once(redis: redis.asyncio.Redis) -> None:
    allowance = HandoffAllowance(redis, 2)
    ann, ben, eve = (builders.inbound(user=user, origin="here") for user in ("ann", "ben", "eve"))
    for _ in range(3):
        assert await allowance.has_room(ann), "a turn that is run again counts once"
    assert await allowance.has_room(ben)
    assert not await allowance.has_room(eve)
    assert await allowance.has_room(builders.inbound(user="eve", origin="elsewhere"))
    later = builders.inbound(user="eve", origin="here", received_at=builders.NOW + WINDOW_S)
    assert await allowance.has_room(later)


async def test_customers_of_a_vendor_have_no_address(redis: redis.asyncio.Redis) -> None:
    allowance = HandoffAllowance(redis, 1)
    for user in ("ann", "ben", "eve"):
        assert await allowance.has_room(builders.inbound(user=user))
