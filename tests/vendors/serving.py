"""Run a local vendor server: in a test's own loop, or in a thread beside a real system."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from aiohttp import web


class Server(Protocol):
    """A vendor."""

    url: str

    def make_app(self) -> web.Application: ...


@contextlib.asynccontextmanager
async def serving(server: Server) -> AsyncIterator[None]:
    """Serve on a free port of this machine; `server.url` is set."""
    runner = web.AppRunner(server.make_app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def serving_in_thread(server: Server) -> Iterator[None]:
    """Serve beside a test that is no coroutine."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with serving(server):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
