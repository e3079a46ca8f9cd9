"""A channel is a folder and a row: a made-up one goes through processes that know nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import builders
import redis.asyncio
from aiohttp.test_utils import TestClient, TestServer
from channel_contract import ChannelContract
from desk_world import PASSWORD, Browser, Desk
from pager import CHANNEL
from pager.settings import NAME
from pager_company import PagerCompany, RecordedPages
from talk import LEASE, Talk

from bot.conversation import store
from bot.conversation.store import Conversation
from bot.desk.app import make_app as make_desk
from bot.desk.people.users import add_user
from bot.handoff.service import HandoffService
from bot.processes.every import paced
from bot.processes.fetching import make_fetcher
from bot.processes.ingress import make_app
from bot.routing import keeper, policies
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.set_aside import SetAside
from bot.streams.lease import Leases
from bot.streams.messages import Inbound, conversation_id
from bot.streams.outbox import Sender
from bot.streams.ticket import Ticket
from channels import registry
from channels.kit.agent_typing import TypingShown
from channels.kit.refusals import REFUSALS

USER = "5551234"
CONVERSATION = conversation_id(NAME, NAME, USER)


class TestPager(ChannelContract):
    """The made-up channel keeps to the contract like every other."""


@asynccontextmanager
async def sending(
    settings: Settings, database: Database, client: redis.asyncio.Redis
) -> AsyncIterator[None]:
    """A sender, made as its process makes it."""
    leases = Leases(client, "sender", "sender", settings.shards, 60.0)
    await leases.step()
    clients = registry.make_clients(settings, client)
    typing = TypingShown(settings, client, leases, clients, registry.typing_intervals())
    fetcher = make_fetcher(settings, database, client)
    work = (
        Sender(client, leases, clients).run(),
        typing.run(),
        paced(fetcher.turn, name="files"),
    )
    tasks = [asyncio.create_task(part) for part in work]
    try:
        await builders.until(lambda: _listens(client))
        yield
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        await fetcher.aclose()


async def _listens(client: redis.asyncio.Redis) -> bool:
    return bool((await client.pubsub_numsub(redis_keys.LIVE_CHANNEL))[0][1])


async def turn(talk: Talk) -> None:
    """Let the engine work off what is in the inbox."""
    for shard in range(talk.settings.shards):
        for row, fields in await talk.redis.xrange(redis_keys.inbox(shard)):
            message = Inbound.from_dict(json.loads(fields["body"]))
            await talk.handler.handle(message, Ticket(shard, row, LEASE))


async def recorded_rows(talk: Talk) -> Conversation:
    """Let the recorder catch up; return the conversation."""
    while await talk.recorder.step():
        pass
    found = talk.database.call(lambda c: store.get(c, CONVERSATION))
    assert found is not None
    return found


@asynccontextmanager
async def at_the_desk(
    settings: Settings, database: Database, client: redis.asyncio.Redis
) -> AsyncIterator[tuple[Browser, Browser]]:
    """An agent and an admin at a desk, made as its process makes it."""
    for login, role in (("asha", "agent"), ("boss", "admin")):
        added = {"login": login, "name": login.title(), "role": role, "password": PASSWORD}
        database.call(partial(add_user, **added))
    service = HandoffService(settings, database, client)
    app = make_desk(settings, database, client, service, registry.titles())
    server = TestServer(app)
    await server.start_server()
    desk = Desk(settings, database, client, service, server)
    try:
        yield await desk.browser("asha"), await desk.browser("boss")
    finally:
        await server.close()


def page(number: int, text: str) -> bytes:
    """A page as the company delivers it."""
    return json.dumps({"page": f"p-{number}", "from": USER, "text": text}).encode()


async def test_it_goes_through_ingress_turn_outbox_desk_and_service_levels(
    talk: Talk,
    paging: Settings,
    database: Database,
    redis: redis.asyncio.Redis,
    company: PagerCompany,
    recorded: RecordedPages,
) -> None:
    async with (
        TestClient(TestServer(make_app(paging))) as http,
        sending(paging, database, redis),
        at_the_desk(paging, database, redis) as (asha, boss),
    ):
        # The bot answers, in pages of 80 characters.
        assert (await recorded.deliver(http, page(1, "where is my order"))).status == 200
        await turn(talk)
        await builders.until(lambda: any("on its way" in p["text"] for p in company.pages))
        assert {p["to"] for p in company.pages} == {USER}
        assert any("1. " in p["text"] for p in company.pages), "its buttons are lines with numbers"

        # An admin promises a reply to those who page; the list offers the channel by its title.
        html = await boss.text("/policies")
        assert f'<option value="{NAME}" >{CHANNEL.title}</option>' in html
        status, _ = await boss.act("/policies", name="Pages", channel=NAME, first="10")
        assert status == 200

        # The customer asks for a person, sees the promise kept, and gets their words.
        assert (await recorded.deliver(http, page(2, "talk to a person"))).status == 200
        await turn(talk)
        assert (await recorded_rows(talk)).state.value == "waiting"
        assert CONVERSATION in await asha.text("/inbox/waiting")
        verdict = database.call(
            lambda c: keeper.find_changes(c, time.time(), SetAside("service-levels"))
        )
        [policy] = database.call(policies.list_policies)
        assert [clock.policy for clock, _ in verdict.changes] == [policy.id]
        assert (await asha.act(f"/conversations/{CONVERSATION}/claim"))[0] == 200
        said = {"text": "Hello, Asha here.", "key": "k" * 15}
        assert (await asha.act(f"/conversations/{CONVERSATION}/reply", **said))[0] == 200
        await builders.until(lambda: company.pages[-1]["text"] == "Hello, Asha here.")
        await recorded_rows(talk)
        thread = await asha.text(f"/inbox/mine/{CONVERSATION}")
        assert "talk to a person" in thread
        assert "Hello, Asha here." in thread

        # The sender shows that she writes.
        live = {"conversation": CONVERSATION, "what": "typing", "user": "asha", "name": "Asha"}
        await redis.publish(redis_keys.LIVE_CHANNEL, json.dumps(live))
        await builders.until(lambda: company.lamps == [USER])


async def test_health_names_it_and_counts_its_refusals(
    paging: Settings, redis: redis.asyncio.Redis, recorded: RecordedPages
) -> None:
    async with TestClient(TestServer(make_app(paging))) as http:
        assert (await recorded.forge(http)).status == 401
        await http.app[REFUSALS].write()
        shown = await (await http.get("/health")).json()
    assert NAME in shown["channels"]
    assert shown["refused"] == {f"{NAME} wrong-secret": 1}


def test_nothing_but_its_folder_and_its_row_names_it() -> None:
    root = Path(__file__).parents[3]
    folders = [root / top for top in ("bot", "channels", "actions")]
    naming = [
        str(path)
        for folder in folders
        for path in folder.rglob("*.py")
        if NAME in path.read_text("utf-8").lower()
    ]
    assert naming == []
