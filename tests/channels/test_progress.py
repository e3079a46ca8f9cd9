"""Claims on parts of a message: no two senders send the same part, as far as anybody can know."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import builders
import pytest
import redis.asyncio

from bot.errors import DeliveryFailed, LeaseLost, StoreUnavailable
from bot.stores import redis_keys
from bot.streams.lease import GRANT, Grant, Leases
from channels.facebook.limits import fit
from channels.facebook.settings import NAME
from channels.kit import progress as progress_module
from channels.kit.fitting import Part
from channels.kit.progress import Progress, claim

SHARDS = 2
MESSAGE = builders.outbound("one two", channel=NAME)
SHARD = redis_keys.shard_of(MESSAGE.conversation, SHARDS)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "LOOK_S", 0.01)
    monkeypatch.setattr(progress_module, "STORE_PAUSE_S", 0.01)


class Phone:
    """Notes what was sent by whom."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def by(self, name: str, *, then: Callable[[], Awaitable[None]] | None = None):  # type: ignore[no-untyped-def]
        async def send_part(part: Part, number: int) -> str:
            await claim()
            self.sent.append(f"{name} {part.text}")
            if then:
                await then()
            return f"id-{name}-{number}"

        return send_part


async def _grant(client: redis.asyncio.Redis, holder: str, lease_s: float = 60.0) -> Grant:
    leases = Leases(client, "sender", holder, SHARDS, lease_s)
    await leases.step()
    return Grant(leases, SHARD, leases.held[SHARD])


async def _as(grant: Grant, work: Awaitable[list[str]]) -> list[str]:
    GRANT.set(grant)
    return await work


async def _passes(client: redis.asyncio.Redis, grant: Grant) -> None:
    """The lease of a shard runs out."""
    await client.delete(redis_keys.lease(SHARD, "sender"))
    await client.zrem(redis_keys.holders("sender"), grant.leases.holder)


async def test_a_successor_waits_for_the_note_of_a_call_under_way(
    redis: redis.asyncio.Redis,
) -> None:
    phone, progress = Phone(), Progress(redis, SHARDS, fit)
    called, answered = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        called.set()
        await answered.wait()

    first = await _grant(redis, "a")
    old = asyncio.create_task(_as(first, progress.send(MESSAGE, phone.by("a", then=slowly))))
    await called.wait()
    await _passes(redis, first)
    second = await _grant(redis, "b")
    new = asyncio.create_task(_as(second, progress.send(MESSAGE, phone.by("b"))))
    await asyncio.sleep(0.05)
    assert not new.done()
    answered.set()
    assert await old == await new == ["id-a-0"]
    assert phone.sent == ["a one two"]


async def test_a_claim_that_nobody_resolves_holds_up_for_a_while_only(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, progress = Phone(), Progress(redis, SHARDS, fit)

    async def dies() -> None:
        raise asyncio.CancelledError

    first = await _grant(redis, "a")
    with pytest.raises(asyncio.CancelledError):
        await _as(first, progress.send(MESSAGE, phone.by("a", then=dies)))
    await _passes(redis, first)
    monkeypatch.setattr(progress_module, "LEASES", 0.001)
    second = await _grant(redis, "b")
    assert await _as(second, progress.send(MESSAGE, phone.by("b"))) == ["id-b-0"]
    assert phone.sent == ["a one two", "b one two"]


async def test_who_starts_again_under_its_name_does_not_wait(redis: redis.asyncio.Redis) -> None:
    phone, progress = Phone(), Progress(redis, SHARDS, fit)

    async def dies() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await _as(await _grant(redis, "a"), progress.send(MESSAGE, phone.by("a", then=dies)))
    again = await _grant(redis, "a")
    async with asyncio.timeout(60):
        assert await _as(again, progress.send(MESSAGE, phone.by("a again"))) == ["id-a again-0"]


async def test_a_refused_part_is_free_for_everybody_at_once(redis: redis.asyncio.Redis) -> None:
    phone, progress = Phone(), Progress(redis, SHARDS, fit)

    async def refused() -> None:
        raise DeliveryFailed("vendor-error")

    first = await _grant(redis, "a")
    with pytest.raises(DeliveryFailed):
        await _as(first, progress.send(MESSAGE, phone.by("a", then=refused)))
    await _passes(redis, first)
    async with asyncio.timeout(60):
        await _as(await _grant(redis, "b"), progress.send(MESSAGE, phone.by("b")))
    assert phone.sent == ["a one two", "b one two"]


async def test_without_the_lease_nothing_is_sent(redis: redis.asyncio.Redis) -> None:
    phone, progress = Phone(), Progress(redis, SHARDS, fit)
    first = await _grant(redis, "a")
    await _passes(redis, first)
    with pytest.raises(LeaseLost):
        await _as(first, progress.send(MESSAGE, phone.by("a")))
    assert phone.sent == []


async def test_what_the_vendor_has_is_noted_however_long_redis_is_away(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, progress = Phone(), Progress(redis, SHARDS, fit)
    grant = await _grant(redis, "a")
    note, failed = progress._note, 0

    async def flaky(*args: object) -> None:
        nonlocal failed
        failed += 1
        if failed < 4:
            raise StoreUnavailable("redis", "away")
        await note(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(progress, "_note", flaky)
    assert await _as(grant, progress.send(MESSAGE, phone.by("a"))) == ["id-a-0"]
    assert await _as(grant, progress.send(MESSAGE, phone.by("a"))) == ["id-a-0"]
    assert (phone.sent, failed) == (["a one two"], 4)


async def test_a_retry_goes_on_with_the_part_that_failed(redis: redis.asyncio.Redis) -> None:
    long = builders.outbound(" ".join(f"Sentence {n}." for n in range(400)), channel=NAME)
    progress, tried = Progress(redis, SHARDS, fit), list[int]()

    async def send_part(part: Part, number: int) -> str:
        await claim()
        tried.append(number)
        if tried == [0, 1]:
            raise DeliveryFailed("vendor-error")
        return str(number)

    with pytest.raises(DeliveryFailed):
        await progress.send(long, send_part)
    ids = await progress.send(long, send_part)
    assert ids == [str(n) for n in range(len(ids))]
    assert tried == [0, 1, *range(1, len(ids))]
