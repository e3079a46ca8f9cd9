"""Code all processes share: start, tasks with leases, HTTP, and a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

import structlog
from aiohttp import web

from bot import logs
from bot.processes.log_file import LogFile
from bot.processes.roles import ROLES
from bot.settings import Settings
from bot.stores import redis_client
from bot.streams.lease import Leases
from bot.web import descriptors
from bot.web.serving import serving

LOG = structlog.get_logger(__name__)
GARBAGE = (20_000, 20, 50)
"""Objects, and rounds, between rounds of the garbage collector; Python's own are 700, 10, 10."""
DRAIN_S = 10.0
"""Seconds a stopping process has to finish work in progress."""


def run(settings: Settings, role: str, name: str, log: Path | None = None) -> None:
    """Run one process until SIGTERM or SIGINT.

    Args:
        role: A key of `ROLES`.
        name: Unique name; empty makes one of host and pid.
        log: File for its lines; standard output without one.
    """
    import uvloop

    holder = name or f"{role}-{socket.gethostname()}-{os.getpid()}"
    output = cast(TextIO, LogFile(log)) if log else sys.stdout
    logs.configure(settings.log_level, holder, output)
    descriptors.raise_limit()
    server = redis_client.ensure_server(settings)
    try:
        process = ROLES[role].load()
        with contextlib.suppress(asyncio.CancelledError):
            uvloop.run(until_stopped(process(settings, holder)))
    finally:
        if server:
            server.stop()


async def until_stopped(work: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine until it ends; cancel it on SIGTERM or SIGINT, even if a shell ignores those.

    Raises:
        asyncio.CancelledError: It was stopped.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    await task


async def together(leases: Sequence[Leases], *work: Awaitable[None]) -> None:
    """Run tasks while renewing leases; when one ends or is cancelled, stop all and release."""
    settle_memory()
    keepers = [asyncio.ensure_future(held.keep()) for held in leases]
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        done, _ = await asyncio.wait([*keepers, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*tasks, return_exceptions=True)
        for keeper in keepers:
            keeper.cancel()
        for held in leases:
            with contextlib.suppress(Exception):
                await held.release_all()


def settle_memory() -> None:
    """Exclude everything loaded so far from garbage collection, which would copy its pages.

    Memory that loading no longer needs goes back to the system, where the C library can do that.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


async def serve_http(app: web.Application, settings: Settings, port: int, name: str) -> None:
    """Serve an application until cancelled.

    Raises:
        ConfigurationError: The port is taken.
    """
    async with serving(app, settings, port, f"{name.upper()}_PORT"):
        LOG.info("http.listening", app=name, host=settings.host, port=port)
        settle_memory()
        await asyncio.Event().wait()
