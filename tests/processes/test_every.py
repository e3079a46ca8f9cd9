"""The one periodic loop: what goes wrong is said, and only a cancellation ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import builders
import pytest
from structlog.testing import capture_logs

from bot.errors import StoreUnavailable
from bot.processes import every as module
from bot.processes.every import every, paced, timed

Step = Callable[[], Awaitable[object]]


def playing(*outcomes: Exception | None) -> tuple[Step, list[Exception | None]]:
    """A step that goes wrong as told, then stops its own loop; and what it has played."""
    played: list[Exception | None] = []

    async def step() -> None:
        if len(played) == len(outcomes):
            raise KeyboardInterrupt
        played.append(outcomes[len(played)])
        if error := played[-1]:
            raise error

    return step, played


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds slept, without sleeping them."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    return pauses


async def test_a_store_that_is_away_is_said_once_and_waited_for(paused: list[float]) -> None:
    away = StoreUnavailable("database", "locked")
    step, played = playing(None, away, away, None, away)
    with capture_logs() as logs, pytest.raises(KeyboardInterrupt):
        await every(7.0, step, name="sweep", first_s=3.0, rest=module.asyncio.sleep)
    assert len(played) == 5
    assert paused == [3.0, 7.0, 1.0, 1.0, 7.0, 1.0]
    said = [(entry["event"], entry["loop"]) for entry in logs]
    assert said == [
        ("loop.delayed", "sweep"),
        ("loop.resumed", "sweep"),
        ("loop.delayed", "sweep"),
    ]


async def test_what_nobody_foresaw_is_logged_without_its_words_and_the_loop_goes_on(
    paused: list[float],
) -> None:
    errors = [ValueError("the customer said so") for _ in range(7)]
    step, _ = playing(*errors, None, ValueError("again"))
    with capture_logs() as logs, pytest.raises(KeyboardInterrupt):
        await every(7.0, step, name="sweep", rest=module.asyncio.sleep)
    assert paused == [0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 7.0, 2.0]
    assert [entry["failures"] for entry in logs] == [1, 2, 3, 4, 5, 6, 7, 1]
    assert logs[0]["error"] == "ValueError"
    assert logs[0]["at"].startswith("tests/processes/test_every.py:")
    assert "customer" not in str(logs)


async def test_a_step_may_say_how_long_to_rest(paused: list[float]) -> None:
    seconds = [0.5, 20.0]

    async def step() -> float:
        if not seconds:
            raise KeyboardInterrupt
        return seconds.pop(0)

    with pytest.raises(KeyboardInterrupt):
        await paced(step, name="x", rest=module.asyncio.sleep)
    assert paused == [0.5, 20.0]


async def test_what_wakes_it_cuts_the_pause_short() -> None:
    woken, steps = asyncio.Event(), 0

    async def step() -> None:
        nonlocal steps
        steps += 1

    async def rest(_seconds: float) -> None:
        await woken.wait()
        woken.clear()

    task = asyncio.create_task(every(3600.0, step, name="x", rest=rest))
    for number in (1, 2, 3):
        await builders.until(lambda n=number: steps == n)
        woken.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_that_a_driver_swallowed_ends_it() -> None:
    begun = asyncio.Event()

    async def step() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise StoreUnavailable("redis", "connecting") from None

    task = asyncio.create_task(every(0.0, step, name="x"))
    await begun.wait()
    task.cancel()
    await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 10)


async def test_a_step_is_given_the_time_of_day() -> None:
    async def step(now: float) -> float:
        return now

    assert await timed(step)() > builders.NOW
