"""The recorder process: writes messages, events and trackers from the record streams to SQL."""

from __future__ import annotations

from bot.processes.aside_report import report_set_aside
from bot.processes.every import paced
from bot.processes.probes import serve_probes
from bot.processes.running import together
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database
from bot.streams.lease import Leases
from bot.streams.recorder import Recorder


async def run(settings: Settings, holder: str) -> None:
    """Record until cancelled."""
    database, client = Database.of(settings), redis_client.connect(settings)
    leases = Leases(client, "recorder", holder, settings.shards, settings.lease_s)
    try:
        async with serve_probes(settings, client, "recorder", holder, database):
            work = Recorder(client, leases, database)
            await together(
                [leases],
                paced(work.turn, name="recorder"),
                report_set_aside(client, holder, {"recorder": work.aside}),
            )
    finally:
        await client.aclose()
        database.close()
