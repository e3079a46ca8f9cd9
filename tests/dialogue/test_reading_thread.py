"""The thread that understands: fair to short messages, and no work that nobody waits for."""

from __future__ import annotations

import asyncio
import threading

import builders
import pytest
import redis.asyncio

from bot.dialogue import reading_thread as module
from bot.dialogue.reading_thread import SHORT_AT_ONCE, Priority, ReadingThread
from bot.errors import LeaseLost
from bot.streams.lease import GRANT, Grant, Leases


class _Gate:
    """Work that goes on only when it may."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered = threading.Event()

    def __call__(self) -> str:
        self.entered.set()
        assert self.opened.wait(20)
        return "gate"


async def _behind(reading_thread: ReadingThread, *priorities: Priority) -> list[str]:
    """Order in which jobs are done that were waiting together, named by priority and number."""
    gate, order = _Gate(), list[str]()
    first = asyncio.ensure_future(reading_thread.run(gate))
    await builders.until(gate.entered.is_set)
    jobs = []
    for number, priority in enumerate(priorities):
        name = f"{priority.name.lower()}-{number}"
        jobs.append(
            asyncio.ensure_future(
                reading_thread.run(lambda name=name: order.append(name), priority)
            )
        )
        await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.gather(first, *jobs)
    return order


async def test_short_messages_go_before_long_ones_which_do_not_wait_for_ever() -> None:
    shorts = 2 * SHORT_AT_ONCE
    order = await _behind(ReadingThread(), Priority.LONG, Priority.LONG, *[Priority.SHORT] * shorts)
    kinds = [name.partition("-")[0] for name in order]
    assert kinds == [*["short"] * SHORT_AT_ONCE, "long"] * 2


async def test_what_lost_leases_before_comes_last() -> None:
    order = await _behind(ReadingThread(), Priority.SUSPECT, Priority.LONG, Priority.SHORT)
    assert [name.partition("-")[0] for name in order] == ["short", "long", "suspect"]


async def test_even_a_suspect_comes_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUSPECT_WAITS_S", 0.0)
    order = await _behind(ReadingThread(), Priority.SHORT, Priority.SUSPECT)
    assert order[0] == "suspect-1"


async def test_suspects_that_have_waited_let_others_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SUSPECT_WAITS_S", 0.0)
    suspects, shorts = [Priority.SUSPECT] * 3, [Priority.SHORT] * SHORT_AT_ONCE
    order = await _behind(ReadingThread(), *suspects, *shorts)
    kinds = [name.partition("-")[0] for name in order]
    assert kinds == ["suspect", *["short"] * SHORT_AT_ONCE, "suspect", "suspect"]


async def test_what_nobody_waits_for_is_not_begun(redis: redis.asyncio.Redis) -> None:
    reading_thread, gate, begun = ReadingThread(), _Gate(), list[str]()
    leases = Leases(redis, "engine", "engine-0", 1, 60.0)
    leases.held = {0: "engine-0|1"}
    first = asyncio.ensure_future(reading_thread.run(gate))
    await builders.until(gate.entered.is_set)

    async def under_the_lease() -> None:
        GRANT.set(Grant(leases, 0, "engine-0|1"))
        await reading_thread.run(lambda: begun.append("lost"))

    lost = asyncio.ensure_future(under_the_lease())
    cancelled = asyncio.ensure_future(reading_thread.run(lambda: begun.append("cancelled")))
    await asyncio.sleep(0)
    leases.lose(0, "engine-0|1")
    cancelled.cancel()
    gate.opened.set()
    with pytest.raises(LeaseLost):
        await lost
    assert await first == "gate"
    await reading_thread.run(lambda: None)
    assert begun == []


async def test_what_work_raises_is_raised_to_who_waits() -> None:
    reading_thread = ReadingThread()
    with pytest.raises(ZeroDivisionError):
        await reading_thread.run(lambda: 1 / 0)
    assert await reading_thread.run(lambda: 5) == 5
    assert reading_thread.since is None
