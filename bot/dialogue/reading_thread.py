"""The thread that reads messages: short ones first, none whose result is no longer wanted.

The embedding uses the core it runs on, so there is one thread per process. A long message costs up
to thirty times a short one; were they worked off by arrival, some long ones would make everybody
wait (docs/understanding.md, "Costly messages").
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar

from bot.streams.lease import lease_check

Result = TypeVar("Result")

SHORT_AT_ONCE = 4
"""Short messages read in a row while a long one waits."""
SUSPECT_WAITS_S = 30.0
"""After which a suspect message is read although others wait, one for so many of theirs."""


class Priority(IntEnum):
    """Which waiting messages are read first."""

    SHORT = 0
    LONG = 1
    SUSPECT = 2
    """It was under way when leases were lost, more than once: last of all."""


@dataclass
class _Job:
    work: Callable[[], Any]
    answered: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    check_lease: Callable[[], None]
    """Raises LeaseLost once the answer is of no use."""
    since: float = field(default_factory=time.monotonic)


class ReadingThread:
    """Runs blocking work on one thread; safe to use from one event loop at a time."""

    def __init__(self) -> None:
        self._waiting: dict[Priority, deque[_Job]] = {priority: deque() for priority in Priority}
        self._changed = threading.Condition()
        self._shorts = 0
        """Short messages taken in a row while a long one waited."""
        self._others = SHORT_AT_ONCE
        """Turns since a suspect message went before others."""
        self._began: float | None = None
        self._thread: threading.Thread | None = None

    @property
    def since(self) -> float | None:
        """When the work under way began, monotonic seconds; None when there is none."""
        return self._began

    async def run(self, work: Callable[[], Result], priority: Priority = Priority.SHORT) -> Result:
        """Run work when its turn has come and return what it returns.

        Raises:
            LeaseLost: Its turn came when the shard of the message had passed to somebody else.
        """
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Result] = loop.create_future()
        with self._changed:
            self._waiting[priority].append(_Job(work, answered, loop, lease_check()))
            if self._thread is None:
                self._thread = threading.Thread(target=self._turn, name="understand", daemon=True)
                self._thread.start()
            self._changed.notify()
        return await answered

    def _turn(self) -> None:
        while True:
            with self._changed:
                while (job := self._next()) is None:
                    self._changed.wait(1.0)
            self._began = time.monotonic()
            try:
                if job.answered.cancelled():
                    continue
                job.check_lease()
                result = job.work()
            except BaseException as error:
                _resolve(job.loop, job.answered, error=error)
            else:
                _resolve(job.loop, job.answered, result)
            finally:
                self._began = None

    def _next(self) -> _Job | None:
        """Take the job whose turn it is; for the holder of the condition's lock."""
        short, long, suspect = (self._waiting[priority] for priority in Priority)
        has_waited = suspect and time.monotonic() - suspect[0].since > SUSPECT_WAITS_S
        if has_waited and self._others >= SHORT_AT_ONCE:
            self._others = 0
            return suspect.popleft()
        self._others += 1
        if short and (not long or self._shorts < SHORT_AT_ONCE):
            self._shorts = self._shorts + 1 if long else 0
            return short.popleft()
        self._shorts = 0
        for waiting in (long, suspect):
            if waiting:
                return waiting.popleft()
        return None


def _resolve(
    loop: asyncio.AbstractEventLoop,
    answered: asyncio.Future[Any],
    result: object = None,
    error: BaseException | None = None,
) -> None:
    """Hand the result to the loop that waits for it, unless it has given up or is closed."""

    def on_the_loop() -> None:
        if answered.done():
            return
        if error is None:
            answered.set_result(result)
        else:
            answered.set_exception(error)

    with contextlib.suppress(RuntimeError):  # the loop was closed with the process
        loop.call_soon_threadsafe(on_the_loop)
