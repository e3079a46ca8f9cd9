"""The processes a running system is made of; `serve` starts one of each, others run them alone."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from bot import logs
from bot.errors import ConfigurationError
from bot.processes.probes import answering
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database
from bot.streams.lease import Leases

LOG = structlog.get_logger(__name__)
Process = Callable[[Settings, str], Coroutine[Any, Any, None]]
GARBAGE = (20_000, 20, 50)
"""Objects, and rounds, between rounds of the garbage collector; Python's own are 700, 10, 10."""
PATIENT = 5
"""Niceness of engines: taking a message in, which a vendor waits for, goes before thinking about it
where both share a core."""
AUTOGROUP = Path("/proc/self/autogroup")
"""Linux weighs sessions against each other where this exists; each of our processes is one."""
DRAIN_S = 10.0
"""Seconds a stopping process may spend on finishing what it has begun."""


def run(settings: Settings, role: str, name: str) -> None:
    """Run one process until SIGTERM or SIGINT.

    Args:
        role: `ingress`, `engine`, `sender`, `recorder` or `desk`.
        name: Unique name; empty makes one of host and pid.
    """
    import uvloop

    holder = name or f"{role}-{socket.gethostname()}-{os.getpid()}"
    logs.configure(settings.log_level, holder)
    server = redis_client.ensure(settings)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            uvloop.run(until_stopped(ROLES[role](settings, holder)))
    finally:
        if server:
            server.stop()


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run until it ends, or cancel it on SIGTERM or SIGINT, also where a shell had us ignore those.

    Raises:
        asyncio.CancelledError: It was stopped.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    await task


async def ingress(settings: Settings, holder: str) -> None:
    """Webhooks, widget and demo page."""
    from bot.processes.ingress_app import make_app

    await _serve_http(make_app(settings), settings.host, settings.ingress_port, "ingress")


async def desk(settings: Settings, holder: str) -> None:
    """The agents' desk."""
    from bot.desk.app import make_app
    from bot.desk.app_keys import REPLAY, Replay
    from bot.handoff.service import HandoffService
    from bot.streams import dead_letters

    database, client = Database.of(settings), redis_client.connect(settings)
    service = HandoffService(settings, database, client)
    app = make_app(settings, database, client, service)
    replay: Replay = partial(dead_letters.replay, database, client, settings.shards)
    app[REPLAY] = replay
    try:
        await _serve_http(app, settings.host, settings.desk_port, "desk")
    finally:
        await client.aclose()
        database.close()


async def engine(settings: Settings, holder: str) -> None:
    """Understanding and dialogue: works the inbox shards off that it holds."""
    from actions import local
    from bot.dialogue.catalog import Catalog
    from bot.dialogue.handler import Handler
    from bot.dialogue.load import MODELS, load_engine
    from bot.language import langdetect
    from bot.language.translate import Translator
    from bot.streams.inbox import InboxReader
    from bot.understanding.service import Understander

    _let_others_first()
    database, client = Database.of(settings), redis_client.connect(settings)
    understander = await asyncio.to_thread(Understander.load, settings)
    actions = local.load()
    translator = Translator.of(settings, client)
    rasa = await asyncio.to_thread(load_engine, actions, MODELS, translator)
    model = rasa.processor.model_filename if rasa.processor else ""
    catalog = Catalog(understander, database, client, holder, model)
    await catalog.wait()
    handler = Handler(settings, database, client, rasa, understander, catalog)
    leases = Leases(client, "engine", holder, settings.shards, settings.lease_s)
    inbox = InboxReader(client, leases, handler.handle, hold_s=settings.reorder_hold_ms / 1000)
    LOG.info("engine.ready", model=model)
    try:
        async with answering(settings, client, "engine", holder):
            # Not needed by the first messages, so nobody waits for it.
            warming = asyncio.ensure_future(asyncio.to_thread(langdetect.load))
            warming.add_done_callback(lambda task: task.cancelled() or task.result())
            await _together(leases, inbox.run(), catalog.follow())
    finally:
        await client.aclose()
        database.close()


async def sender(settings: Settings, holder: str) -> None:
    """Drains the outbox through the channels' clients, and fetches customers' files from them."""
    from bot.processes.fetching import make_fetcher
    from bot.streams.outbox import Sender
    from channels.kit.agent_typing import TypingShown
    from channels.registry import make_clients

    database, client = Database.of(settings), redis_client.connect(settings)
    channels = make_clients(settings, client)
    leases = Leases(client, "sender", holder, settings.shards, settings.lease_s)
    outbox = Sender(client, leases, channels)
    fetcher = make_fetcher(settings, database, client)
    shown = TypingShown(settings, client, leases, channels)
    try:
        async with answering(settings, client, "sender", holder):
            await _together(leases, outbox.run(), fetcher.run(), shown.run())
    finally:
        await client.aclose()
        database.close()


async def recorder(settings: Settings, holder: str) -> None:
    """Writes messages and events to SQL, closes what time has ended, forgets what is too old."""
    from bot.files.store import store_of
    from bot.housekeeping.closing import Sweeper
    from bot.housekeeping.files import FileSweeper
    from bot.housekeeping.retention import Retention
    from bot.streams.recorder import Recorder

    database, client = Database.of(settings), redis_client.connect(settings)
    leases = Leases(client, "recorder", holder, settings.shards, settings.lease_s)
    try:
        async with answering(settings, client, "recorder", holder):
            await _together(
                leases,
                Recorder(client, leases, database).run(),
                Sweeper(settings, database, client).run(),
                Retention(settings, database).run(),
                FileSweeper(settings, database, store_of(settings)).run(),
            )
    finally:
        await client.aclose()
        database.close()


ROLES: dict[str, Process] = {
    "ingress": ingress,
    "engine": engine,
    "sender": sender,
    "recorder": recorder,
    "desk": desk,
}


async def _together(leases: Leases, *work: Awaitable[None]) -> None:
    """Run tasks beside the leases; when one ends or we are stopped, stop all and give back."""
    _settle_memory()
    keeper = asyncio.ensure_future(leases.keep())
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        done, _ = await asyncio.wait([keeper, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*tasks, return_exceptions=True)
        keeper.cancel()
        with contextlib.suppress(Exception):
            await leases.release_all()


def _let_others_first() -> None:
    os.nice(PATIENT)
    with contextlib.suppress(OSError):
        AUTOGROUP.write_text(str(PATIENT))


def _settle_memory() -> None:
    """What was loaded stays: the collector need not walk it again and again, nor copy its pages.

    What loading needed in between goes back to the system, where the C library can do that.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


async def _serve_http(app: Any, host: str, port: int, name: str) -> None:
    from aiohttp import web

    runner = web.AppRunner(app, access_log=None, handler_cancellation=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=512)
        try:
            await site.start()
        except OSError as error:
            key = "DESK_PORT" if name == "desk" else "INGRESS_PORT"
            raise ConfigurationError(
                key, f"cannot listen on {host}:{port} ({error.strerror}); choose another port"
            ) from error
        LOG.info("http.listening", app=name, host=host, port=port)
        _settle_memory()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
