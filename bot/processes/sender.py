"""The sender process: sends the outbox through the channels' clients, and fetches files."""

from __future__ import annotations

from bot.files.fetch import AT_ONCE
from bot.processes.aside_report import report_set_aside
from bot.processes.every import paced
from bot.processes.fetching import make_fetcher
from bot.processes.probes import serve_probes
from bot.processes.running import together
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database
from bot.streams.lease import Leases
from bot.streams.outbox import Sender
from channels import registry
from channels.kit.agent_typing import TypingShown


async def run(settings: Settings, holder: str) -> None:
    """Send and fetch until cancelled."""
    database, client = Database.of(settings), redis_client.connect(settings)
    channels = registry.make_clients(settings, client)
    leases = Leases(client, "sender", holder, settings.shards, settings.lease_s)
    outbox = Sender(client, leases, channels)
    fetcher = make_fetcher(settings, database, client)
    shown = TypingShown(settings, client, leases, channels, registry.typing_intervals())
    try:
        async with serve_probes(settings, client, "sender", holder, database):
            await together(
                [leases],
                outbox.run(),
                *(paced(fetcher.turn, name="files") for _ in range(AT_ONCE)),
                shown.run(),
                report_set_aside(client, holder, {"files": fetcher.aside, "typing": shown.aside}),
            )
    finally:
        await fetcher.aclose()
        await client.aclose()
        database.close()
