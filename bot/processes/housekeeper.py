"""The housekeeper process: work that happens by time; several may run at once.

Routing and service levels are done by one of them at a time, under a lease. All other work is done
by each of them: what another has done already changes nothing, or is gone.
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
from bot.processes.aside_report import report_set_aside
from bot.processes.every import every, paced, timed
from bot.processes.probes import serve_probes
from bot.processes.running import together
from bot.routing.keeper import SlaKeeper
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database
from bot.stores.set_aside import SetAside
from bot.streams.lease import Leases


@dataclass(frozen=True)
class Work:
    """One task of a housekeeper."""

    loops: tuple[Coroutine[Any, Any, None], ...]
    aside: SetAside
    leases: tuple[Leases, ...] = ()


async def run(settings: Settings, holder: str) -> None:
    """Run all tasks until cancelled."""
    database, client = Database.of(settings), redis_client.connect(settings)
    # No shards: it is an entry among the holders, for the health page and `/ready`.
    membership = Leases(client, "housekeeper", holder, 0, settings.lease_s)
    try:
        await database.run(index.prepare)
        work = everything(settings, database, client, holder)
        async with serve_probes(settings, client, "housekeeper", holder, database):
            await together(
                [membership, *(held for part in work for held in part.leases)],
                *(loop for part in work for loop in part.loops),
                report_set_aside(client, holder, {part.aside.loop: part.aside for part in work}),
            )
    finally:
        await client.aclose()
        database.close()


def everything(
    settings: Settings, database: Database, client: redis.asyncio.Redis, holder: str
) -> list[Work]:
    """Create all tasks; their loops must then be run."""
    closer = ConversationCloser(settings, database, client)
    deleter = Retention(settings, database)
    file_remover = FileRemover(settings, database, store_of(settings))
    keeper = SlaKeeper(settings, database, client, holder)
    snoozer = Snoozer(database, Changes(settings.shards, database, client))
    indexer = Indexer(database)
    work = [
        Work((paced(keeper.turn, name="service-levels"),), keeper.aside, (keeper.leases,)),
        Work((every(snooze.EVERY_S, timed(snoozer.wake_due), name="snooze"),), snoozer.aside),
        Work((paced(indexer.step, name="search"),), indexer.aside),
        Work(
            # After a start agents have time to come back, before they count as gone.
            (every(closing.EVERY_S, timed(closer.step), name="closing", first_s=closing.EVERY_S),),
            closer.aside,
        ),
        Work((every(retention.EVERY_S, timed(deleter.step), name="retention"),), deleter.aside),
        Work(
            (every(files.EVERY_S, timed(file_remover.step), name="file-sweep"),), file_remover.aside
        ),
    ]
    if settings.routing_mode == routing.AUTOMATIC:
        service = HandoffService(settings, database, client)
        router = Router(settings, database, client, service, holder)
        steps = every(routing.TICK_S, router.turn, name="routing", rest=router.rest)
        work.append(Work((steps, router.subscription.run()), router.aside, (router.leases,)))
    return work
