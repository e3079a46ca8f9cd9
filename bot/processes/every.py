"""The periodic loop of all processes: a step, a pause, and one policy for errors.

When a store is down, that is logged once and waited for. Unexpected errors are logged and counted,
and the loop goes on after a growing pause; the step itself sets faulty rows aside
(bot.stores.set_aside). Only a cancellation ends a loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bot.errors import StoreUnavailable
from bot.stores.set_aside import raised_at
from bot.stores.tasks import not_cancelled

LOG = structlog.get_logger(__name__)
Result = TypeVar("Result")

AWAY_S = 1.0
"""Pause before trying again while a store is down."""
FIRST_PAUSE_S = 2.0
"""Pause after a step that failed unexpectedly; doubles with each one in a row."""
LONGEST_PAUSE_S = 60.0
Rest = Callable[[float], Awaitable[object]]
"""Waits for as many seconds, or less where something wakes it."""


async def every(
    seconds: float,
    step: Callable[[], Awaitable[object]],
    *,
    name: str,
    first_s: float = 0.0,
    rest: Rest = asyncio.sleep,
) -> None:
    """Run a step repeatedly until cancelled.

    Args:
        seconds: Pause between the end of a step and the next.
        name: Name of the loop, for the log.
        first_s: Seconds before the first step.
    """

    async def turn() -> float:
        await step()
        return seconds

    await asyncio.sleep(first_s)
    await paced(turn, name=name, rest=rest)


async def paced(
    step: Callable[[], Awaitable[float]], *, name: str, rest: Rest = asyncio.sleep
) -> None:
    """Run a step that returns its own pause, repeatedly until cancelled; first at once."""
    away, failures = False, 0
    # A cancellation that arrives while the Redis driver connects gets lost: check each time.
    while not_cancelled():
        try:
            pause_s = await step()
        except StoreUnavailable as error:
            if not away:
                LOG.warning("loop.delayed", loop=name, store=error.store, reason=str(error))
            away = True
            await asyncio.sleep(AWAY_S)
        except Exception as error:
            failures += 1
            pause_s = min(FIRST_PAUSE_S * 2 ** min(failures - 1, 16), LONGEST_PAUSE_S)
            # Without the error's text, which may quote a customer.
            LOG.error(
                "loop.failed",
                loop=name,
                failures=failures,
                again_s=pause_s,
                error=type(error).__name__,
                at=raised_at(error),
            )
            await asyncio.sleep(pause_s)
        else:
            if away:
                LOG.info("loop.resumed", loop=name)
            away, failures = False, 0
            await rest(pause_s)


def timed(step: Callable[[float], Awaitable[Result]]) -> Callable[[], Awaitable[Result]]:
    """Return a step that passes the present time (Unix seconds) to another."""
    return lambda: step(time.time())
