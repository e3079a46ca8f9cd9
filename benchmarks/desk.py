"""Benchmark of the desk: from a handoff to the agents' screens, with 500 desks, 10,000 waiting.

`python -m benchmarks.desk`, about 2 minutes (`--quick`: 1). The clock starts when the customer's
message is posted and stops when an agent's WebSocket has the row of that conversation.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import Any

import aiohttp

from benchmarks import figures, results, seed
from benchmarks.growth import PERSON
from benchmarks.results import Options
from benchmarks.systems import BenchmarkError, System, run_samvad
from benchmarks.throughput import fresh_traffic
from bot.desk.web import COOKIE
from bot.streams.messages import conversation_id

SEEN_S = 30.0
"""Longest wait for a screen."""
PAUSE_S = 0.3


def main() -> None:
    """Measure and write."""
    options = results.read_options(__doc__)
    results.write(options, "desk", measure(options))


def measure(options: Options) -> dict[str, Any]:
    """Hand off conversations repeatedly and measure.

    Returns:
        `{"agents", "waiting", "handoffs", "screens": latency over all screens, "last_screen":
        latency until the last one has it, "memory_mb"}`.
    """
    agents, waiting, handoffs = options.choose((500, 10_000, 60), (40, 300, 6))
    folder = options.work / "desk"
    shutil.rmtree(folder, ignore_errors=True)
    settings = seed.settings_of(folder)
    texts = [fresh_traffic("text").question().text for _ in range(50)]
    print(f"desk: {agents} agents, {waiting} waiting …", flush=True)
    seed.waiting(settings, waiting, texts)
    tokens = seed.agents(settings, agents)
    with run_samvad(folder) as system:
        system.settle()
        return asyncio.run(_hand_off(system, tokens, waiting, handoffs))


class Screens:
    """Open desks, with the time at which a conversation first appears on each."""

    def __init__(self, session: aiohttp.ClientSession, desk: str) -> None:
        self._session = session
        self._desk = desk
        self._wanted = ""
        self._seen: dict[int, float] = {}
        self._all = asyncio.Event()
        self._count = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, tokens: list[str]) -> None:
        for token in tokens:
            socket = await self._session.ws_connect(
                f"{self._desk}/socket",
                origin=self._desk,
                max_msg_size=2**22,
                headers={"Cookie": f"{COOKIE}={token}"},
            )
            self._tasks.append(asyncio.create_task(self._watch(self._count, socket)))
            self._count += 1

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def expect(self, conversation: str) -> None:
        """Wait for this conversation from now on."""
        self._wanted, self._seen = conversation, {}
        self._all.clear()

    async def seen(self) -> list[float]:
        """Return when each screen had it (`time.perf_counter()`); wait for all screens.

        Raises:
            BenchmarkError: Some did not get it.
        """
        try:
            async with asyncio.timeout(SEEN_S):
                await self._all.wait()
        except TimeoutError:
            raise BenchmarkError(
                f"only {len(self._seen)} of {self._count} screens saw it"
            ) from None
        return list(self._seen.values())

    async def _watch(self, number: int, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            # A handoff shows as a row; the message before it may show the conversation earlier,
            # still with the bot, so the row must say that it waits.
            if (
                frame.type == aiohttp.WSMsgType.TEXT
                and number not in self._seen
                and self._wanted
                and shows_waiting(frame.data, self._wanted)
            ):
                self._seen[number] = time.perf_counter()
                if len(self._seen) == self._count:
                    self._all.set()
        raise BenchmarkError("the desk closed a screen's socket")


def shows_waiting(frame: str, conversation: str) -> bool:
    """Tell whether a frame has the row of this conversation as a waiting one."""
    return f'data-id=\\"{conversation}\\" data-state=\\"waiting\\"' in frame


async def _hand_off(
    system: System, tokens: list[str], waiting: int, handoffs: int
) -> dict[str, Any]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        screens = Screens(session, system.desk)
        await screens.open(tokens)
        every, last = [], []
        try:
            for number in range(handoffs):
                await asyncio.sleep(PAUSE_S)
                customer = f"desk-{number}"
                screens.expect(conversation_id("rest", "rest", customer))
                began = time.perf_counter()
                async with session.post(system.url, json=system.body(customer, PERSON)) as answer:
                    replies = await answer.json()
                if replies[-1].get("state") != "waiting":
                    raise BenchmarkError(f"{PERSON!r} was not handed off: {replies}")
                took = [moment - began for moment in await screens.seen()]
                if number:  # the first one warms up
                    every += took
                    last.append(max(took))
        finally:
            await screens.close()
    return {
        "agents": len(tokens),
        "waiting": waiting,
        "handoffs": handoffs - 1,
        "screens": figures.latency_ms(every),
        "last_screen": figures.latency_ms(last),
        "memory_mb": system.memory_mb(),
    }


if __name__ == "__main__":
    main()
