"""Batches of Redis commands: one pipeline for all commands of a process that came meanwhile.

A command sent alone costs the driver ten times as much as one in a pipeline, and the server a write
to its log with `fsync` each time. While one round trip is in progress, new commands queue and are
sent as one pipeline when it is back. With none in progress a command is sent at once.
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
"""Commands in a pipeline: the first answer waits for the last."""

_BATCHES: WeakKeyDictionary[redis.asyncio.Redis, Batches] = WeakKeyDictionary()


def batches_of(client: redis.asyncio.Redis) -> Batches:
    """Return the batches that all users of a client share."""
    batches = _BATCHES.get(client)
    if batches is None:
        batches = _BATCHES[client] = Batches(client)
    return batches


class Batches:
    """Sender of batches for one client; for commands that answer at once, not for blocking ones."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._waiting: list[tuple[Sequence[Command], asyncio.Future[list[Any]]]] = []
        self._sending_task: asyncio.Task[None] | None = None

    async def run(self, *commands: Command) -> list[Any]:
        """Send commands in this order, perhaps with others between them; return their answers.

        Raises:
            redis.RedisError: The first answer that is an error, or the connection's; whether the
                commands ran is then unknown.
        """
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, future))
        if self._sending_task is None:
            self._sending_task = asyncio.create_task(self._send_all())
        answers = await future
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    async def script(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """Run a script; send its text only when the server does not know it."""
        script_arguments = (len(keys), *keys, *arguments)
        try:
            return (await self.run(("EVALSHA", script.digest, *script_arguments)))[0]
        except NoScriptError:
            return (await self.run(("EVAL", script.text, *script_arguments)))[0]

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                await self._send(self._next_batch())
        finally:
            self._sending_task = None
            # Cancelled with the process: no task may wait for ever.
            for _, future in self._waiting:
                future.cancel()
            self._waiting.clear()

    def _next_batch(self) -> list[tuple[Sequence[Command], asyncio.Future[list[Any]]]]:
        size = count = 0
        while count < len(self._waiting) and (not count or size < MOST_AT_ONCE):
            size += len(self._waiting[count][0])
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _send(
        self, batch: Sequence[tuple[Sequence[Command], asyncio.Future[list[Any]]]]
    ) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for commands, _ in batch:
            for command in commands:
                pipeline.execute_command(*command)
        try:
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        position = 0
        for commands, future in batch:
            if not future.done():
                future.set_result(answers[position : position + len(commands)])
            position += len(commands)


class Script:
    """Lua script with the digest the server knows it by."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - Redis' own choice
