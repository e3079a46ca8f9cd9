"""The engine process: understanding and dialogue for the inbox shards it holds; needs Rasa."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import structlog

from actions import local
from bot.dialogue.catalog import POLL_S, Catalog
from bot.dialogue.handler import MessageHandler
from bot.dialogue.load import MODELS, load_engine
from bot.language import langdetect
from bot.language.translate import Translator
from bot.processes.aside_report import report_set_aside
from bot.processes.every import every
from bot.processes.lease_thread import keep_on_thread
from bot.processes.probes import serve_probes
from bot.processes.running import together
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database
from bot.streams.inbox import InboxReader
from bot.streams.lease import Leases
from bot.understanding.service import Understander

LOG = structlog.get_logger(__name__)
PATIENT = 5
"""Niceness of engines: taking a message in, which a vendor waits for, goes before thinking about it
where both share a core."""
AUTOGROUP = Path("/proc/self/autogroup")
"""Linux weighs sessions against each other where this exists; each of our processes is one."""


async def run(settings: Settings, holder: str) -> None:
    """Handle messages until cancelled."""
    _let_others_first()
    database, client = Database.of(settings), redis_client.connect(settings)
    understander = await asyncio.to_thread(Understander.load, settings)
    actions = local.load()
    translator = Translator.of(settings, client)
    rasa = await asyncio.to_thread(load_engine, actions, MODELS, translator)
    model = rasa.processor.model_filename if rasa.processor else ""
    catalog = Catalog(understander, database, client, holder, model)
    await catalog.wait()
    handler = MessageHandler(settings, database, client, rasa, understander, catalog)
    leases_client = redis_client.connect(settings)
    leases = Leases(leases_client, "engine", holder, settings.shards, settings.lease_s)
    inbox = InboxReader(client, leases, handler.handle, hold_s=settings.reorder_hold_ms / 1000)
    LOG.info("engine.ready", model=model)
    try:
        async with (
            serve_probes(settings, client, "engine", holder, database),
            keep_on_thread(leases, leases_client, lambda: handler.reading_since),
        ):
            # Not needed by the first messages, so nobody waits for it.
            warming = asyncio.ensure_future(asyncio.to_thread(langdetect.load))
            warming.add_done_callback(lambda task: task.cancelled() or task.result())
            await together(
                [],
                inbox.run(),
                every(POLL_S, catalog.refresh_safely, name="content"),
                report_set_aside(client, holder, {"content": catalog.aside}),
            )
    finally:
        await client.aclose()
        database.close()


def _let_others_first() -> None:
    os.nice(PATIENT)
    with contextlib.suppress(OSError):
        AUTOGROUP.write_text(str(PATIENT))
