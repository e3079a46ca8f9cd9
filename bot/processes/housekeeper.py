"""What happens by time and belongs to nobody's page; any number of housekeepers may run at once.

Routing and service levels are done by one of them at a time, under a lease. Everything else each
of them does: what another was faster with changes nothing, or is not there any more.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import redis.asyncio

from bot.conversation.changes import Changes
from bot.desk.search import index
from bot.desk.search.index import Indexer
from bot.files.store import store_of
from bot.handoff import router as routing
from bot.handoff import snooze
from bot.handoff.router import Router
from bot.handoff.service import HandoffService
from bot.handoff.snooze import Snoozer
from bot.housekeeping import closing, files, retention
from bot.housekeeping.closing import ConversationCloser
from bot.housekeeping.files import FileRemover
from bot.housekeeping.retention import Retention
from bot.processes.every import every, paced, timed
from bot.processes.probes import answering
from bot.processes.running import together
from bot.processes.telling import telling
from bot.routing.keeper import SlaKeeper
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database
from bot.stores.set_aside import SetAside
from bot.streams.lease import Leases


@dataclass(frozen=True)
class Work:
    """One thing a housekeeper does."""

    loops: tuple[Coroutine[Any, Any, None], ...]
    aside: SetAside
    leases: tuple[Leases, ...] = ()


async def run(settings: Settings, holder: str) -> None:
    """Keep house until cancelled."""
    database, client = Database.of(settings), redis_client.connect(settings)
    # No shards: by its place among the holders the health page and `/ready` see that it is there.
    place = Leases(client, "housekeeper", holder, 0, settings.lease_s)
    try:
        await database.run(index.prepare)
        work = everything(settings, database, client, holder)
        async with answering(settings, client, "housekeeper", holder, database):
            await together(
                [place, *(held for part in work for held in part.leases)],
                *(loop for part in work for loop in part.loops),
                telling(client, holder, {part.aside.loop: part.aside for part in work}),
            )
    finally:
        await client.aclose()
        database.close()


def everything(
    settings: Settings, database: Database, client: redis.asyncio.Redis, holder: str
) -> list[Work]:
    """Make all loops; each is to be run."""
    closer = ConversationCloser(settings, database, client)
    forgetter = Retention(settings, database)
    sweeper = FileRemover(settings, database, store_of(settings))
    keeper = SlaKeeper(settings, database, client, holder)
    snoozer = Snoozer(database, Changes(settings.shards, database, client))
    indexer = Indexer(database)
    work = [
        Work((paced(keeper.turn, name="service-levels"),), keeper.aside, (keeper.leases,)),
        Work((every(snooze.EVERY_S, timed(snoozer.wake_due), name="snooze"),), snoozer.aside),
        Work((paced(indexer.step, name="search"),), indexer.aside),
        Work(
            # After a start agents have their time to come back, before they count as gone.
            (every(closing.EVERY_S, timed(closer.step), name="closing", first_s=closing.EVERY_S),),
            closer.aside,
        ),
        Work((every(retention.EVERY_S, timed(forgetter.step), name="retention"),), forgetter.aside),
        Work((every(files.EVERY_S, timed(sweeper.step), name="file-sweep"),), sweeper.aside),
    ]
    if settings.routing_mode == routing.AUTOMATIC:
        service = HandoffService(settings, database, client)
        router = Router(settings, database, client, service, holder)
        steps = every(routing.TICK_S, router.turn, name="routing", rest=router.rest)
        work.append(Work((steps, router.subscription.run()), router.aside, (router.leases,)))
    return work
