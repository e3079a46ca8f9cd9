"""One lane to Redis for all tasks of a process: what they ask meanwhile leaves together.

A command of its own costs the driver ten times as much as one among many, and the server a write
to its log with `fsync` each time. A lane has one round trip under way; what tasks ask for in the
meantime is sent as one pipeline when it is back. An idle lane sends at once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import redis.asyncio
from redis.exceptions import NoScriptError

Command = tuple[Any, ...]
MOST_AT_ONCE = 256
"""Commands in a round trip: the first of them waits for the last."""

_LANES: WeakKeyDictionary[redis.asyncio.Redis, Lane] = WeakKeyDictionary()


def lane_of(client: redis.asyncio.Redis) -> Lane:
    """The lane that all users of a client share."""
    lane = _LANES.get(client)
    if lane is None:
        lane = _LANES[client] = Lane(client)
    return lane


class Lane:
    """Sends commands; for those that answer at once, not for blocking ones."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._waiting: list[tuple[Sequence[Command], asyncio.Future[list[Any]]]] = []
        self._flight: asyncio.Task[None] | None = None

    async def run(self, *commands: Command) -> list[Any]:
        """Send commands in this order, others' perhaps between them, and return their answers.

        Raises:
            redis.RedisError: The first answer that is an error, or the connection's; whether the
                commands ran is then unknown.
        """
        answered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, answered))
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly())
        found = await answered
        for answer in found:
            if isinstance(answer, Exception):
                raise answer
        return found

    async def script(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """Run a script, sending its text only when the server does not know it."""
        rest = (len(keys), *keys, *arguments)
        try:
            return (await self.run(("EVALSHA", script.digest, *rest)))[0]
        except NoScriptError:
            return (await self.run(("EVAL", script.text, *rest)))[0]

    async def _fly(self) -> None:
        try:
            while self._waiting:
                await self._send(self._board())
        finally:
            self._flight = None
            # Cancelled with the process: nobody may wait for ever.
            for _, answered in self._waiting:
                answered.cancel()
            self._waiting.clear()

    def _board(self) -> list[tuple[Sequence[Command], asyncio.Future[list[Any]]]]:
        size = taken = 0
        while taken < len(self._waiting) and (not taken or size < MOST_AT_ONCE):
            size += len(self._waiting[taken][0])
            taken += 1
        aboard, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return aboard

    async def _send(
        self, aboard: Sequence[tuple[Sequence[Command], asyncio.Future[list[Any]]]]
    ) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for commands, _ in aboard:
            for command in commands:
                pipeline.execute_command(*command)
        try:
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        except Exception as error:
            for _, answered in aboard:
                if not answered.done():
                    answered.set_exception(error)
            return
        except BaseException:
            for _, answered in aboard:
                answered.cancel()
            raise
        at = 0
        for commands, answered in aboard:
            if not answered.done():
                answered.set_result(answers[at : at + len(commands)])
            at += len(commands)


class Script:
    """A Lua script and the name the server knows it by."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - Redis' own choice
