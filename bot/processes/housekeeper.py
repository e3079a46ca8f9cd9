"""What happens by time and belongs to nobody's page; any number of housekeepers may run at once.

Routing and service levels are done by one of them at a time, under a lease. Everything else each
of them does: what another was faster with changes nothing, or is not there any more.
"""

from __future__ import annotations

from bot.conversation.changes import Changes
from bot.desk.search import index
from bot.files.store import store_of
from bot.handoff.router import AUTOMATIC, Router
from bot.handoff.service import HandoffService
from bot.handoff.snooze import Snoozer
from bot.housekeeping.closing import Sweeper
from bot.housekeeping.files import FileSweeper
from bot.housekeeping.retention import Retention
from bot.processes.probes import answering
from bot.processes.running import together
from bot.routing.keeper import SlaKeeper
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database
from bot.streams.lease import Leases


async def run(settings: Settings, holder: str) -> None:
    """Keep house until cancelled."""
    database, client = Database.of(settings), redis_client.connect(settings)
    # No shards: by its place among the holders the health page and `/ready` see that it is there.
    place = Leases(client, "housekeeper", holder, 0, settings.lease_s)
    service = HandoffService(settings, database, client)
    routing = settings.routing_mode == AUTOMATIC
    router = [Router(settings, database, client, service, holder)] if routing else []
    keeper = SlaKeeper(settings, database, client, holder)
    try:
        await database.run(index.prepare)
        async with answering(settings, client, "housekeeper", holder):
            await together(
                [place],
                *(work.run() for work in router),
                keeper.run(),
                Snoozer(database, Changes(settings.shards, database, client)).run(),
                index.run(database),
                Sweeper(settings, database, client).run(),
                Retention(settings, database).run(),
                FileSweeper(settings, database, store_of(settings)).run(),
            )
    finally:
        await client.aclose()
        database.close()
