"""The WebSocket: what changes reaches every page that shows it, and nobody else's."""

import asyncio
import json
from typing import Any

import desk_seed as seed
from aiohttp import ClientWebSocketResponse, WSMsgType
from desk_world import Browser, Desk

from bot.conversation.changes import announce
from bot.desk import app_keys
from bot.routing import presence
from bot.stores.redis_keys import LIVE_CHANNEL, NEWS_CHANNEL
from bot.stores.tables import sessions


async def connect(desk: Desk, browser: Browser) -> ClientWebSocketResponse:
    origin = str(desk.server.make_url("/")).rstrip("/")
    await asyncio.wait_for(desk.server.app[app_keys.HUB].listening.wait(), 5)
    return await browser.client.ws_connect("/socket", headers={"Origin": origin})


async def frame(ws: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """Next frame of a kind; the others are passed over."""
    async with asyncio.timeout(60):
        while True:
            message = await ws.receive()
            assert message.type == WSMsgType.TEXT, message
            body: dict[str, Any] = json.loads(message.data)
            if body["type"] == kind:
                return body


async def test_an_open_page_makes_the_agent_online(desk: Desk) -> None:
    browser = await desk.browser()
    assert await presence.count_online(desk.redis) == 0
    ws = await connect(desk, browser)
    assert (await frame(ws, "hello"))["online"] == 1
    await ws.close()
    async with asyncio.timeout(60):
        while await presence.count_online(desk.redis):  # noqa: ASYNC110 - the page's end is in Redis
            await asyncio.sleep(0.01)


async def test_a_new_waiting_conversation_reaches_every_page(desk: Desk) -> None:
    sockets = [await connect(desk, await desk.browser(login)) for login in ("asha", "ravi")]
    for ws in sockets:
        await frame(ws, "hello")
    desk.database.call(lambda c: seed.conversation(c, "w1", state="waiting", name="Meera"))
    await announce(desk.redis, "w1", "state")
    for ws in sockets:
        rows = await frame(ws, "rows")
        assert rows["counts"]["waiting"] == 1
        assert [row["id"] for row in rows["rows"]] == ["w1"]
        assert "Meera" in rows["rows"][0]["html"]
        await ws.close()


async def test_a_page_gets_only_what_it_lacks_of_its_thread(desk: Desk) -> None:
    def rows(connection: Any) -> None:
        seed.conversation(connection, "t1")
        seed.conversation(connection, "t2")
        seed.message(connection, "t1", "first")

    desk.database.call(rows)
    ws = await connect(desk, await desk.browser())
    await ws.send_json({"type": "look", "conversation": "t1", "known": {}})
    assert [item["id"] for item in (await frame(ws, "thread"))["items"]] == ["m00000"]
    desk.database.call(lambda c: seed.message(c, "t1", "second"))
    desk.database.call(lambda c: seed.message(c, "t2", "elsewhere"))
    await announce(desk.redis, "t2", "message")
    await announce(desk.redis, "t1", "message")
    update = await frame(ws, "thread")
    assert [item["id"] for item in update["items"]] == ["m00001"]
    assert update["last"] == "m00001"
    await ws.close()


async def test_after_a_gap_the_page_says_what_it_has_and_gets_the_rest(desk: Desk) -> None:
    def rows(connection: Any) -> None:
        seed.conversation(connection, "t1")
        for number in range(3):
            seed.message(connection, "t1", f"line {number}")

    desk.database.call(rows)
    browser = await desk.browser()
    ws = await connect(desk, browser)
    await ws.send_json({"type": "look", "conversation": "t1", "known": {}})
    first = await frame(ws, "thread")
    digests = {i["id"]: i["html"].split('data-digest="')[1].split('"')[0] for i in first["items"]}
    await ws.close()
    desk.database.call(lambda c: seed.message(c, "t1", "while away"))
    ws = await connect(desk, browser)
    await ws.send_json({"type": "look", "conversation": "t1", "known": digests})
    assert [item["id"] for item in (await frame(ws, "thread"))["items"]] == ["m00003"]
    await ws.close()


async def test_agents_see_who_else_looks_and_types(desk: Desk) -> None:
    desk.database.call(lambda c: seed.conversation(c, "t1"))
    asha = await connect(desk, await desk.browser("asha"))
    ravi = await connect(desk, await desk.browser("ravi"))
    look = {"type": "look", "conversation": "t1", "known": {}}
    await asha.send_json(look)
    await frame(asha, "thread")
    await ravi.send_json(look)
    while not (people := (await frame(asha, "people"))["people"]):
        pass
    assert people == [{"name": "Ravi", "typing": ""}]
    await ravi.send_json({"type": "typing", "kind": "note"})
    assert (await frame(asha, "people"))["people"] == [{"name": "Ravi", "typing": "noting"}]
    await ravi.close()
    while (await frame(asha, "people"))["people"]:
        pass
    await asha.close()


async def test_nonsense_on_the_wire_harms_nobody(desk: Desk) -> None:
    ws = await connect(desk, await desk.browser())
    await frame(ws, "hello")
    for text in ("", "[]", "{}", '{"type":"look","known":7}', '{"type":5}', "null", "\x00"):
        await ws.send_str(text)
    await ws.send_bytes(b"\xff")
    for body in ("", "{}", '{"conversation":1}', "[1]", '{"conversation":"nowhere","what":"look"}'):
        await desk.redis.publish(LIVE_CHANNEL, body)
        await desk.redis.publish(NEWS_CHANNEL, body)
    desk.database.call(lambda c: seed.conversation(c, "alive", state="waiting"))
    await announce(desk.redis, "alive", "state")
    while "alive" not in [row["id"] for row in (await frame(ws, "rows"))["rows"]]:
        pass
    await ws.close()


async def test_new_messages_of_many_conversations_come_in_one_notice(desk: Desk) -> None:
    ws = await connect(desk, await desk.browser())
    await frame(ws, "hello")
    for name in ("n1", "n2"):
        desk.database.call(lambda c, name=name: seed.conversation(c, name, state="waiting"))
    await desk.redis.publish(NEWS_CHANNEL, '["n1", "n2"]')
    while {row["id"] for row in (await frame(ws, "rows"))["rows"]} != {"n1", "n2"}:
        pass
    await ws.close()


async def test_disabling_a_user_closes_their_pages(desk: Desk) -> None:
    admin, asha = await desk.browser("boss"), await desk.browser("asha")
    ws = await connect(desk, asha)
    await frame(ws, "hello")
    people = await admin.text("/users")
    ident = people.split("<bdi>asha</bdi></td>")[1].split('action="/users/')[1]
    await admin.act(f"/users/{ident.split('/')[0]}/disable")
    async with asyncio.timeout(60):
        while not ws.closed:
            await ws.receive()
    assert ws.close_code == 1012


async def test_pages_of_ended_sessions_are_closed(desk: Desk) -> None:
    browser = await desk.browser()
    ws = await connect(desk, browser)
    await frame(ws, "hello")
    hub = desk.server.app[app_keys.HUB]
    await hub._drop_ended()
    await desk.redis.publish(LIVE_CHANNEL, '{"conversation": "x", "what": "state"}')
    await frame(ws, "rows")
    desk.database.call(lambda c: c.execute(sessions.delete()))
    await hub._drop_ended()
    async with asyncio.timeout(60):
        while not ws.closed:
            await ws.receive()


async def test_a_lost_subscription_makes_pages_fetch_again(desk: Desk) -> None:
    ws = await connect(desk, await desk.browser())
    await frame(ws, "hello")
    clients = await desk.redis.client_list(_type="pubsub")
    for client in clients:
        await desk.redis.client_kill_filter(_id=client["id"])
    await frame(ws, "resync")
    await ws.close()


async def test_customers_only_learn_that_their_own_agent_writes_a_reply(desk: Desk) -> None:
    """The widget shows every `typing` of the live channel to the customer."""
    desk.database.call(lambda c: seed.conversation(c, "t1", state="assigned", owner="u-asha"))
    pubsub = desk.redis.pubsub(ignore_subscribe_messages=True)
    await pubsub.subscribe(LIVE_CHANNEL)
    await pubsub.get_message(timeout=5)
    sockets = [await connect(desk, await desk.browser(login)) for login in ("asha", "ravi")]
    for ws in sockets:
        await ws.send_json({"type": "look", "conversation": "t1", "known": {}})
        await frame(ws, "thread")
    asha, ravi = sockets
    for ws, kind in ((ravi, "reply"), (ravi, "note"), (asha, "note"), (asha, "other")):
        await ws.send_json({"type": "typing", "kind": kind})
    await asha.send_json({"type": "typing", "kind": "reply"})
    said = []
    async with asyncio.timeout(60):
        while "typing" not in [what for what, _ in said]:
            message = await pubsub.get_message(timeout=1)
            if message and message["type"] == "message":
                notice = json.loads(message["data"])
                said.append((notice["what"], notice.get("user")))
    assert [who for what, who in said if what == "typing"] == ["u-asha"]
    assert [who for what, who in said if what == "noting"].count("u-asha") == 2
    await pubsub.aclose()
    for ws in sockets:
        await ws.close()


async def test_a_mention_reaches_the_one_who_is_named(desk: Desk) -> None:
    desk.database.call(lambda c: seed.conversation(c, "t1"))
    asha = await desk.browser("asha")
    ravi = await connect(desk, await desk.browser("ravi"))
    await frame(ravi, "hello")
    await asha.act("/conversations/t1/note", text="@ravi please")
    called = await frame(ravi, "mention")
    assert (called["conversation"], called["by"]) == ("t1", "Asha")
    await ravi.close()


async def test_own_lists_are_counted_live(desk: Desk) -> None:
    asha = await desk.browser("asha")
    _, answer = await asha.act("/filters", name="Hindi", view="waiting", language="hi")
    ws = await connect(desk, asha)
    await frame(ws, "hello")
    desk.database.call(lambda c: seed.conversation(c, "h1", state="waiting", language="hi"))
    await announce(desk.redis, "h1", "state")
    assert (await frame(ws, "saved"))["counts"] == {answer["saved"]: 1}
    await ws.close()
