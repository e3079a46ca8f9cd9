"""What else of another team's conversation an agent may not reach: merges, blocking, live frames.

`asha` is in the team of complaints, `ravi` in that of orders, `boss` is an admin.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import desk_seed as seed
import pytest
import sqlalchemy as sa
from aiohttp import ClientWebSocketResponse
from desk_world import Browser, Desk
from team_talk import ASHA, BOSS, WORD, give_back

from bot.conversation import store
from bot.conversation.changes import announce
from bot.conversation.states import State
from bot.desk import app_keys
from bot.desk.conversation import labels, merging
from bot.desk.lists import queries
from bot.desk.lists.filters import Filters, View
from bot.desk.live.updates import Rows
from bot.desk.live.watchers import Watchers
from bot.desk.people import scope
from bot.handoff.service import Agent
from bot.routing.model import Team
from bot.stores.tables import conversations, dead_letters
from bot.streams import addresses

# -- merges, blocking


@pytest.fixture
def merged(desk: Desk, complaints: Team) -> str:
    """A conversation everybody sees, whose customer a supervisor merged with the team's."""
    desk.database.call(lambda c: seed.conversation(c, "seen", name="Zelda"))
    return "seen"


async def _merge(desk: Desk, agent: Agent) -> str:
    changes = desk.server.app[app_keys.CHANGES]
    return await merging.merge(desk.database, changes, "seen", "talk", agent)


async def test_only_who_sees_all_of_a_merge_takes_it_back(desk: Desk, merged: str) -> None:
    made = await _merge(desk, BOSS)
    ravi, boss = await desk.browser("ravi"), await desk.browser("boss")
    status, answer = await ravi.act("/conversations/seen/part", merge=made)
    assert (status, answer["code"]) == (404, "unknown-merge")
    assert made not in await ravi.text("/inbox/open/seen")
    status, _ = await boss.act("/conversations/seen/part", merge=made)
    assert status == 200


async def test_customers_with_hidden_conversations_are_merged_by_supervisors(
    desk: Desk, merged: str
) -> None:
    await _merge(desk, BOSS)
    desk.database.call(lambda c: seed.conversation(c, "third", name="Zelda"))
    ravi, boss = await desk.browser("ravi"), await desk.browser("boss")
    status, answer = await ravi.act("/conversations/third/merge", other="seen")
    assert (status, answer["code"]) == (409, "hidden-conversations")
    assert (await boss.act("/conversations/third/merge", other="seen"))[0] == 200


async def test_blocking_leaves_hidden_conversations_to_a_supervisor(
    desk: Desk, merged: str
) -> None:
    await _merge(desk, BOSS)

    def blocked() -> dict[str, bool]:
        c = conversations.c
        rows = desk.database.call(lambda k: k.execute(sa.select(c.id, c.blocked)).all())
        return {row.id: row.blocked for row in rows}

    ravi, boss = await desk.browser("ravi"), await desk.browser("boss")
    assert (await ravi.act("/conversations/seen/block"))[0] == 200
    assert blocked() == {"seen": True, "talk": False}
    status, answer = await (await desk.browser("asha")).act(
        "/conversations/talk/reply", key="still-answers", text="Here I am"
    )
    assert status == 200, answer
    assert (await boss.act("/conversations/seen/block", key="block-by-boss"))[0] == 200
    assert blocked() == {"seen": True, "talk": True}
    assert (await ravi.act("/conversations/seen/unblock"))[0] == 200
    assert blocked() == {"seen": False, "talk": True}


async def test_the_address_of_a_hidden_conversation_stays_open(
    desk: Desk, complaints: Team
) -> None:
    await addresses.may_write(desk.redis, "talk", "digest")
    ravi = await desk.browser("ravi")
    assert (await ravi.act("/conversations/talk/block", address="1"))[0] == 404
    hidden = await ravi.client.get("/conversations/talk/address.json")
    assert hidden.status == 404
    assert not await addresses.is_blocked(desk.redis, "digest")
    desk.database.call(lambda c: seed.conversation(c, "seen", name="Zelda"))
    await _merge(desk, BOSS)
    assert (await ravi.act("/conversations/seen/block", address="1"))[0] == 200
    assert not await addresses.is_blocked(desk.redis, "digest")
    await addresses.block(desk.redis, "talk")
    assert (await ravi.act("/conversations/talk/unblock"))[0] == 404
    assert (await ravi.act("/conversations/seen/unblock"))[0] == 200
    assert await addresses.is_blocked(desk.redis, "digest")


async def test_dead_letters_of_others_hide_none_of_ones_own(desk: Desk, complaints: Team) -> None:
    def letters(c: sa.Connection) -> None:
        seed.conversation(c, "open")
        row = {"direction": "out", "error": "refused", "body": {}}
        for number in range(300):
            theirs = {
                "id": f"theirs-{number}",
                "conversation": "talk",
                "created_at": 1000.0 + number,
            }
            c.execute(sa.insert(dead_letters).values(**row, **theirs))
        own = {"id": "own", "conversation": "open", "created_at": 10.0}
        c.execute(sa.insert(dead_letters).values(**row, **own))

    desk.database.call(letters)
    told = await (await desk.browser("ravi")).text("/dead-letters")
    assert "/inbox/open/open" in told
    assert "/inbox/open/talk" not in told


# -- live


async def _open(desk: Desk, login: str) -> ClientWebSocketResponse:
    browser: Browser = await desk.browser(login)
    origin = f"http://{desk.server.host}:{desk.server.port}"
    socket = await browser.client.ws_connect("/socket", headers={"Origin": origin})
    await asyncio.wait_for(desk.server.app[app_keys.HUB].listening.wait(), 10)
    return socket


async def _until(socket: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            frame: dict[str, Any] = json.loads(await socket.receive_str())
            if frame["type"] == kind:
                return frame


async def _all_before(socket: ClientWebSocketResponse, kind: str) -> list[dict[str, Any]]:
    """Frames up to the first of a kind, with it."""
    got = []
    async with asyncio.timeout(60):
        while not got or got[-1]["type"] != kind:
            got.append(json.loads(await socket.receive_str()))
    return got


async def test_live_rows_and_threads_carry_what_each_page_may_read(
    desk: Desk, complaints: Team
) -> None:
    await give_back(desk)
    asha, ravi, boss = [await _open(desk, one) for one in ("asha", "ravi", "boss")]
    await ravi.send_json({"type": "look", "conversation": "talk", "known": {}})
    shown = await _until(ravi, "thread")
    await announce(desk.redis, "talk", "state")
    rows = [await _until(one, "rows") for one in (asha, ravi, boss)]
    assert [row["id"] for frame in rows for row in frame["rows"]] == ["talk"] * 3
    assert [WORD in json.dumps(frame) for frame in rows] == [True, False, True]
    assert WORD not in json.dumps(shown)


async def test_rows_are_read_again_only_for_who_may_not_read_all_of_them(
    desk: Desk, complaints: Team
) -> None:
    """Each of them costs some queries, and many agents have pages open."""

    def circles() -> list[set[str]]:
        def work(c: sa.Connection) -> Rows:
            return Rows.read(c, ["talk"], [scope.of_id(c, one) for one in ("u-asha", "u-ravi")])

        rows = desk.database.call(work)
        return [set(own) for own in rows.veiled.values()]

    assert circles() == [], "asha has it like her colleagues, ravi does not see it"
    await give_back(desk)
    assert circles() == [{"talk"}]
    await desk.service.assign("talk", BOSS, "u-ravi", key="assign-by-boss")
    assert circles() == [{"talk"}]


async def test_an_owner_from_outside_reads_their_own_stint_live(
    desk: Desk, complaints: Team
) -> None:
    await desk.service.assign("talk", BOSS, "u-ravi", key="assign-by-boss")
    ravi = await _open(desk, "ravi")
    await announce(desk.redis, "talk", "state")
    assert WORD in json.dumps(await _until(ravi, "rows"))


async def test_a_row_goes_only_from_pages_that_had_it(desk: Desk, complaints: Team) -> None:
    def quietly_return(c: sa.Connection) -> None:
        current = store.get(c, "talk")
        assert current is not None
        store.change(c, current, State.BOT, key="return-by-asha")
        seed.conversation(c, "open")

    having, looking, other = [await _open(desk, "ravi") for _ in range(3)]
    await announce(desk.redis, "nothing", "state")
    for socket in (having, looking, other):
        await _until(socket, "rows")
    desk.database.call(quietly_return)
    await having.send_json({"type": "list", "rows": ["talk"]})
    await having.send_json({"type": "look", "conversation": "open", "known": {}})
    await looking.send_json({"type": "look", "conversation": "talk", "known": {}})
    await _until(having, "thread")
    await _until(looking, "thread")
    await desk.service.claim("talk", ASHA, key="takeover-by-asha")
    frames = [await _until(one, "rows") for one in (having, looking, other)]
    assert [frame.get("gone") for frame in frames] == [["talk"], ["talk"], None]
    await announce(desk.redis, "talk", "message")
    assert [(await _until(one, "rows")).get("gone") for one in (having, looking)] == [None, None]


async def test_nobody_hears_who_looks_at_a_hidden_conversation(
    desk: Desk, complaints: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha, ravi = await _open(desk, "asha"), await _open(desk, "ravi")
    await asha.send_json({"type": "look", "conversation": "talk", "known": {}})
    await _until(asha, "thread")
    said: list[str] = []
    noted = Watchers.note
    monkeypatch.setattr(
        Watchers, "note", lambda self, *told: (said.append(told[2]), noted(self, *told))
    )
    for _ in range(20):
        await ravi.send_json({"type": "look", "conversation": "talk", "known": {}})
        await asha.send_json({"type": "typing", "kind": "reply"})
    desk.database.call(lambda c: seed.conversation(c, "open"))
    await ravi.send_json({"type": "look", "conversation": "open", "known": {}})
    frames = await _all_before(ravi, "thread")
    assert not [f for f in frames if f["type"] == "people" and f["conversation"] == "talk"]
    assert "u-asha" in said
    assert not [user for user in said if user == "u-ravi"], "and nobody hears that ravi tried"


async def test_a_page_stops_listening_once_it_may_no_longer_look(
    desk: Desk, complaints: Team
) -> None:
    await give_back(desk)
    ravi = await _open(desk, "ravi")
    await ravi.send_json({"type": "look", "conversation": "talk", "known": {}})
    await _until(ravi, "thread")

    def quietly_taken(c: sa.Connection) -> None:
        c.execute(sa.update(conversations).values(team=complaints.id, state="assigned"))
        seed.conversation(c, "open")

    desk.database.call(quietly_taken)
    hub = desk.server.app[app_keys.HUB]
    await ravi.send_json({"type": "look", "conversation": "talk", "known": {}})
    await ravi.send_json({"type": "look", "conversation": "open", "known": {}})
    while (await _until(ravi, "thread"))["conversation"] != "open":
        pass
    assert hub._seats.showing("talk") == ()


async def test_a_label_of_another_team_stays_on(desk: Desk, complaints: Team) -> None:
    await give_back(desk)
    ravi, asha = await desk.browser("ravi"), await desk.browser("asha")
    for browser, left in ((ravi, [f"{WORD}-label"]), (asha, [])):
        status, _ = await browser.act(
            "/conversations/talk/labels", label=f"{WORD}-label", remove="1"
        )
        assert status == 200
        assert desk.database.call(labels.in_use) == left


async def test_a_label_finds_the_conversation_for_who_may_read_it(
    desk: Desk, complaints: Team
) -> None:
    await give_back(desk)
    labelled = Filters(label=f"{WORD}-label")

    def size(login: str) -> int:
        return desk.database.call(
            lambda c: queries.size(c, View.OPEN, login, labelled, scope.of_id(c, login))
        )

    assert [size(f"u-{login}") for login in ("asha", "ravi", "boss")] == [1, 0, 1]


async def test_labels_of_another_team_leave_room_for_others(desk: Desk, complaints: Team) -> None:
    for number in range(1, labels.MOST_PER_CONVERSATION):
        desk.database.call(lambda c, n=number: labels.add(c, "talk", f"theirs-{n}"))
    await give_back(desk)
    ravi, asha = await desk.browser("ravi"), await desk.browser("asha")
    status, answer = await ravi.act("/conversations/talk/labels", label="ours")
    assert status == 200, answer
    status, answer = await asha.act("/conversations/talk/labels", label="one-more")
    assert (status, answer["code"]) == (400, "too-many-labels")


async def test_a_mention_calls_who_may_see_the_conversation(desk: Desk, complaints: Team) -> None:
    ravi, boss = [await _open(desk, one) for one in ("ravi", "boss")]
    browser = await desk.browser("asha")
    await browser.act("/conversations/talk/note", key="note-to-all", text="@ravi @boss please look")
    assert (await _until(boss, "mention"))["conversation"] == "talk"
    await announce(desk.redis, "talk", "state")
    assert "mention" not in [frame["type"] for frame in await _all_before(ravi, "rows")]
    await give_back(desk)
    page = await (await desk.browser("ravi")).text("/inbox/mentions")
    assert 'data-id="talk"' not in page


async def test_colleagues_and_labels_are_offered_where_they_are_needed(
    desk: Desk, complaints: Team
) -> None:
    async def logins(login: str, query: str = "") -> list[str]:
        browser = await desk.browser(login)
        offered = await (await browser.client.get(f"/people.json{query}")).json()
        return [one["login"] for one in offered]

    assert await logins("asha", "?conversation=talk") == ["asha", "boss"]
    assert await logins("ravi") == ["boss", "ravi"]
    assert await logins("boss") == ["asha", "boss", "ravi"]
    ravi = await desk.browser("ravi")
    assert (await ravi.client.get("/people.json?conversation=talk")).status == 404
    desk.database.call(lambda c: seed.conversation(c, "open"))
    assert await logins("ravi", "?conversation=open") == ["asha", "boss", "ravi"]
    asha, seen = (
        desk.database.call(lambda c, n=name: labels.in_use(c, scope.of_id(c, n)))
        for name in ("u-asha", "u-ravi")
    )
    assert (asha, seen) == ([f"{WORD}-label"], [])


def test_watchers_of_conversations_nobody_hears_of_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr("bot.desk.live.watchers.time.monotonic", lambda: now[0])
    watchers = Watchers()
    for number in range(1000):
        watchers.note(f"c{number}", "typing", "u-1", "One")
    now[0] += 3600
    watchers.note("fresh", "look", "u-1", "One")
    watchers.drop_all_silent()
    assert len(watchers) == 1
    assert watchers.others("fresh", "u-2")
