"""The thread that renews an engine's leases, since understanding may hold up the event loop.

A lease that is not renewed in time passes on, and whatever was under way is begun anew elsewhere;
some costly messages could so keep everybody busy with beginnings.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable

import redis.asyncio
import structlog

from bot.streams.lease import Leases

LOG = structlog.get_logger(__name__)

TICK_S = 1.0
STUCK_TICKS = 60
"""Ticks without a sign of life after which the process ends, so that a successor takes over."""
STOP_S = 10.0
EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h."""


def end_process() -> None:
    """End at once: a loop that is stuck would not see a signal to stop."""
    os._exit(EXIT_CODE)


@contextlib.asynccontextmanager
async def keep_on_thread(
    leases: Leases,
    client: redis.asyncio.Redis,
    current_work: Callable[[], object],
    *,
    give_up: Callable[[], None] = end_process,
    tick_s: float = TICK_S,
) -> AsyncIterator[None]:
    """Renew leases on a thread while the context lasts, and release them at its end.

    Args:
        client: The Redis client of the leases, used by nobody else; closed at the end.
        current_work: Returns a value that differs for each piece of work; None while there is
            none.
        give_up: Called when the loop, or the work under way, is stuck.
        tick_s: Seconds between two looks for a sign of life.
    """
    keeper = _Keeper(leases, client, current_work, give_up, tick_s)
    # Its log lines name the process as all others do.
    run = contextvars.copy_context().run
    thread = threading.Thread(target=run, args=(keeper.run,), name="leases", daemon=True)
    thread.start()
    pulse = asyncio.create_task(keeper.pulse())
    try:
        yield
    finally:
        pulse.cancel()
        keeper.stop()
        await asyncio.to_thread(thread.join, STOP_S)


class _Keeper:
    def __init__(
        self,
        leases: Leases,
        client: redis.asyncio.Redis,
        current_work: Callable[[], object],
        give_up: Callable[[], None],
        tick_s: float,
    ) -> None:
        self._leases = leases
        self._client = client
        self._current_work = current_work
        self._give_up = give_up
        self._tick_s = tick_s
        self._beats = 0
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._stopped = threading.Event()

    async def pulse(self) -> None:
        """Show that the process's own loop turns."""
        while True:
            self._beats += 1
            await asyncio.sleep(self._tick_s / 2)

    def run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._keep())

    def stop(self) -> None:
        self._stopped.set()

        def cancel() -> None:
            if self._task is not None:
                self._task.cancel()

        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(cancel)

    async def _keep(self) -> None:
        self._task = asyncio.create_task(self._leases.keep())
        watch = asyncio.create_task(self._watch())
        try:
            while not self._stopped.is_set() and not self._task.done():
                await asyncio.wait([self._task], timeout=self._tick_s)
            if self._task.done() and not self._task.cancelled():
                self._task.result()
        except Exception:
            LOG.exception("lease.failed", role=self._leases.role)
            self._give_up()
        finally:
            for task in (watch, self._task):
                task.cancel()
            await asyncio.gather(watch, self._task, return_exceptions=True)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(STOP_S / 2):
                    await self._leases.release_all()
            with contextlib.suppress(Exception):
                await self._client.aclose()

    async def _watch(self) -> None:
        """Count our own ticks, not seconds: a process that was stopped as a whole is not stuck."""
        last: dict[str, object] = {}
        same: Counter[str] = Counter()
        while True:
            await asyncio.sleep(self._tick_s)
            for what, sign in (("loop", self._beats), ("understanding", self._current_work())):
                same[what] = same[what] + 1 if sign is not None and sign == last.get(what) else 0
                last[what] = sign
            what, ticks = same.most_common(1)[0]
            if ticks >= STUCK_TICKS:
                LOG.error("process.stuck", what=what, holder=self._leases.holder)
                self._give_up()
                return
