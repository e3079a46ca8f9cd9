"""A team's words stay the team's: what other agents read once it no longer has a conversation.

`asha` is in the team of complaints, `ravi` in that of orders, `boss` is an admin.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import desk_seed as seed
import pytest
import sqlalchemy as sa
from aiohttp import ClientWebSocketResponse
from desk_routes import assert_closed, read_all
from desk_world import Browser, Desk

from bot.conversation import store
from bot.conversation.changes import announce
from bot.conversation.states import State
from bot.desk import app_keys
from bot.desk.conversation import labels, merging, suggestions
from bot.desk.live.watchers import Watchers
from bot.desk.people import scope, users
from bot.desk.search import find, index
from bot.handoff.service import Agent
from bot.routing import teams
from bot.routing.model import Team
from bot.stores.tables import conversations, dead_letters, files, messages, team_stints
from bot.streams.messages import Inbound

ASHA, RAVI, BOSS = Agent("u-asha", "Asha"), Agent("u-ravi", "Ravi"), Agent("u-boss", "Boss", True)
WORD = "kaleidoscope"
"""In everything the team of complaints hears and says."""
FILE = "/files/" + "f" * 20


@pytest.fixture
def desk_database(request: pytest.FixtureRequest) -> str:
    """The conditions are SQL: on both databases."""
    kind = getattr(request, "param", "sqlite")
    return request.getfixturevalue("postgresql_url") if kind == "postgresql" else ""


on_both = pytest.mark.parametrize("desk_database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
async def complaints(desk: Desk) -> Team:
    """A conversation that the team of complaints has, and talked in."""

    def work(c: sa.Connection) -> Team:
        team = teams.save_team(c, Team("", "Complaints"))
        teams.set_members(c, team.id, ["u-asha"])
        other = teams.save_team(c, Team("", "Orders"))
        teams.set_members(c, other.id, ["u-ravi"])
        seed.conversation(c, "talk", name="Zelda", episode_started_at=time.time() - 900)
        seed.event(c, "talk", "episode.started", occurred_at=time.time() - 900)
        seed.message(c, "talk", f"{WORD} told to the bot", created_at=time.time() - 800)
        current = store.get(c, "talk")
        assert current is not None
        store.change(c, current, State.WAITING, key="handoff", team=team.id, cause="asked")
        seed.message(c, "talk", f"{WORD} told to the team", created_at=time.time() - 700)
        reading = {"ranking": [["faq/seed-refunds", 0.9]], "entry": f"{WORD}-entry"}
        seed.message(c, "talk", f"{WORD} again", created_at=time.time() - 690, reading=reading)
        c.execute(sa.update(messages).values(language="hi"))
        return team

    team = desk.database.call(work)
    await desk.service.claim("talk", ASHA, key="claim-by-asha")
    asha = await desk.browser("asha")
    for path, fields in (
        ("note", {"text": f"{WORD} noted"}),
        ("labels", {"label": f"{WORD}-label"}),
    ):
        status, _ = await asha.act(f"/conversations/talk/{path}", key=f"{path}-of-asha", **fields)
        assert status == 200

    def file(c: sa.Connection) -> None:
        sent = seed.message(c, "talk", f"{WORD} with a file", created_at=time.time() - 600)
        row = {"id": "f" * 20, "conversation": "talk", "message": sent, "author": "customer"}
        more = {"kind": "file", "name": f"{WORD}.pdf", "type": "application/pdf", "size": 4}
        stored = {"state": "stored", "created_at": time.time()}
        c.execute(sa.insert(files).values(**row, **more, **stored))
        letter = {"id": "d1", "direction": "out", "conversation": "talk", "body": {}}
        c.execute(
            sa.insert(dead_letters).values(
                **letter, error=f"{WORD} failed", created_at=time.time() - 600
            )
        )

    desk.database.call(file)

    async def stored() -> AsyncIterator[bytes]:
        yield b"%PDF"

    await desk.server.app[app_keys.FILES].put("f" * 20, stored(), 100, lambda head: None)
    return team


async def _return(desk: Desk) -> None:
    await desk.service.give_back("talk", ASHA, key="return-by-asha")


async def _begin_anew(desk: Desk) -> None:
    """The agent resolves, and the customer writes again."""
    await desk.service.resolve(
        "talk", ASHA, topic=f"{WORD}-topic", outcome="solved", key="resolve-by-asha"
    )
    again = Inbound(
        id="m-again",
        conversation="talk",
        channel="webchat",
        account="demo",
        vendor_user="v-talk",
        received_at=time.time(),
    )
    desk.database.call(lambda c: store.open_for(c, again, "en"))


LEAVES = pytest.mark.parametrize("leave", [_return, _begin_anew], ids=["return", "new-episode"])


def _say(desk: Desk, text: str, **values: Any) -> str:
    def work(c: sa.Connection) -> str:
        episode = c.execute(
            sa.select(conversations.c.episode_id).where(conversations.c.id == "talk")
        ).scalar_one()
        more = {"episode_id": episode, "created_at": time.time(), **values}
        return seed.message(c, "talk", text, **more)

    return desk.database.call(work)


def _search(desk: Desk, login: str, words: str) -> list[str]:
    def work(c: sa.Connection) -> list[str]:
        if index.supported(c):
            index.prepare(c)
            while index.catch_up(c):
                pass
        return find.conversations(c, words, scope.of(c, users.get_user(c, f"u-{login}")))

    return desk.database.call(work)


def _ids(desk: Desk) -> str:
    return " ".join(
        desk.database.call(lambda c: c.execute(sa.select(messages.c.id)).scalars().all())
    )


@on_both
@LEAVES
async def test_others_read_nothing_of_a_team_that_had_it(
    desk: Desk, complaints: Team, leave: Any
) -> None:
    ravi = await desk.browser("ravi")
    await assert_closed(desk, ravi, "talk")
    await leave(desk)
    _say(desk, "told to the bot afterwards")
    told = await read_all(desk, ravi, "talk", ids=_ids(desk))
    assert "told to the bot afterwards" in told
    assert WORD not in told
    for path in (
        "/inbox/open",
        f"/inbox/open?label={WORD}-label",
        "/inbox/mentions",
        "/dead-letters",
    ):
        assert WORD not in (await ravi.text(path)).replace(f"{WORD}-label", "", 1), path
    assert (await ravi.client.get(FILE)).status == 404


@LEAVES
async def test_the_team_and_supervisors_read_all_of_it(
    desk: Desk, complaints: Team, leave: Any
) -> None:
    await leave(desk)
    _say(desk, "told to the bot afterwards")
    for login in ("asha", "boss"):
        browser = await desk.browser(login)
        told = await read_all(desk, browser, "talk", ids=_ids(desk))
        for words in ("to the bot", "to the team", "noted", "-label", ".pdf"):
            assert re.search(f"{WORD}( told | )?{words}", told), words
        assert (await browser.client.get(FILE)).status == 200
        assert _search(desk, login, "kaleido noted") == ["talk"]


@on_both
@LEAVES
@pytest.mark.parametrize("words", [WORD, "noted", f"{WORD} team", "no te"])
async def test_a_search_finds_what_may_be_read(
    desk: Desk, complaints: Team, leave: Any, words: str
) -> None:
    assert _search(desk, "asha", words) == ["talk"] or words == "no te"
    await leave(desk)
    assert _search(desk, "ravi", words) == []
    assert _search(desk, "ravi", "Zelda") == ["talk"]
    _say(desk, "a harmless question")
    assert _search(desk, "ravi", "harmless") == ["talk"]
    assert _search(desk, "ravi", f"harmless {WORD}") == []
    assert _search(desk, "asha", f"harmless {WORD}") == ["talk"]


async def test_common_words_are_searched_like_rare_ones(
    desk: Desk, complaints: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _return(desk)
    monkeypatch.setattr(find, "MOST_OCCURRENCES", 1)
    assert _search(desk, "ravi", WORD) == []
    assert _search(desk, "asha", WORD) == ["talk"]


async def test_a_takeover_gives_the_agents_team(desk: Desk, complaints: Team) -> None:
    await _return(desk)
    _say(desk, "told to the bot afterwards")
    await desk.service.claim("talk", ASHA, key="takeover-by-asha")
    current = desk.database.call(lambda c: store.get(c, "talk"))
    assert current is not None
    assert current.team == complaints.id
    await assert_closed(desk, await desk.browser("ravi"), "talk")
    await desk.service.give_back("talk", ASHA, key="second-return")
    assert "afterwards" not in await read_all(
        desk, await desk.browser("ravi"), "talk", ids=_ids(desk)
    )


async def test_another_teams_takeover_hides_its_words_from_the_first(
    desk: Desk, complaints: Team
) -> None:
    await _return(desk)
    ravi = await desk.browser("ravi")
    status, _ = await ravi.act("/conversations/talk/claim")
    assert status == 200
    _say(desk, "told to orders")
    own = await read_all(desk, ravi, "talk", ids=_ids(desk))
    assert "told to orders" in own
    assert WORD not in own
    await assert_closed(desk, await desk.browser("asha"), "talk")
    await desk.service.give_back("talk", RAVI, key="return-by-ravi")
    assert "told to orders" not in await read_all(desk, await desk.browser("asha"), "talk")


async def test_an_agent_who_takes_over_at_once_can_answer(desk: Desk, complaints: Team) -> None:
    """The newest message of the customer is one that this agent may not read."""
    await _return(desk)
    ravi = await desk.browser("ravi")
    await ravi.act("/conversations/talk/claim")
    status, answer = await ravi.act(
        "/conversations/talk/reply", key="reply-by-ravi", text="Hello", last=""
    )
    assert status == 200, answer


async def test_suggestions_come_from_what_may_be_read(desk: Desk, complaints: Team) -> None:
    suggester = suggestions.Suggester("en")
    own = desk.database.call(lambda c: suggester.load(c, "talk", "u-asha"))
    assert own is not None
    assert [one.entry for one in own.suggestions] == ["seed-refunds"]
    await _return(desk)
    await desk.service.claim("talk", RAVI, key="takeover-by-ravi")
    others = desk.database.call(lambda c: suggester.load(c, "talk", "u-ravi"))
    assert others is not None
    assert others.suggestions == ()


async def test_a_team_that_passed_it_on_reads_up_to_then(desk: Desk, complaints: Team) -> None:
    """The next team was handed what had been said; the first does not hear what follows."""
    orders = next(t for t in desk.database.call(teams.list_teams) if t.name == "Orders")
    asha, ravi = await desk.browser("asha"), await desk.browser("ravi")
    status, _ = await asha.act(
        "/conversations/talk/transfer", to=f"team:{orders.id}", note="for Orders only"
    )
    assert status == 200
    await assert_closed(desk, asha, "talk")
    assert WORD in await read_all(desk, ravi, "talk", ids=_ids(desk))
    await desk.service.claim("talk", RAVI, key="claim-by-ravi")
    _say(desk, "told to orders")
    await desk.service.give_back("talk", RAVI, key="return-by-ravi")
    first, second = [await read_all(desk, who, "talk", ids=_ids(desk)) for who in (asha, ravi)]
    assert WORD in first
    assert "told to orders" not in first
    assert "for Orders only" not in first
    assert WORD in second
    assert "told to orders" in second
    assert "for Orders only" in second


async def test_a_merge_opens_nothing(desk: Desk, complaints: Team) -> None:
    await _begin_anew(desk)
    desk.database.call(lambda c: seed.conversation(c, "other", name="Yolanda"))
    await merging.merge(desk.database, desk.server.app[app_keys.CHANGES], "other", "talk", BOSS)
    ravi = await desk.browser("ravi")
    for conversation in ("talk", "other"):
        told = await read_all(desk, ravi, conversation, ids=_ids(desk))
        assert WORD not in told
        assert "e-talk" not in told, "the episode is the team's, its topic, too"


async def test_agents_of_no_team_leave_it_to_everyone(desk: Desk) -> None:
    desk.database.call(lambda c: seed.conversation(c, "plain"))
    changed = await desk.service.claim("plain", ASHA, key="claim-by-asha")
    assert changed.team is None
    await desk.service.give_back("plain", ASHA, key="return-by-asha")
    ravi = await desk.browser("ravi")
    assert "plain" in await ravi.text("/inbox/open")


def _team(desk: Desk, name: str, *members: str, **more: Any) -> str:
    def work(c: sa.Connection) -> str:
        team = teams.save_team(c, Team("", name, **more))
        teams.set_members(c, team.id, members)
        return team.id

    return desk.database.call(work)


async def test_of_several_teams_it_is_the_one_a_handoff_would_wait_for(desk: Desk) -> None:
    first = _team(desk, "Alpha", "u-asha")
    fitting = _team(desk, "Beta", "u-asha", languages=frozenset({"hi"}))
    _team(desk, "Gamma", languages=frozenset({"hi"}), topics=frozenset({"orders"}))
    for name, language, team in (("one", "hi", fitting), ("two", "th", first)):
        desk.database.call(lambda c, n=name, of=language: seed.conversation(c, n, language=of))
        changed = await desk.service.claim(name, ASHA, key=f"claim-{name}")
        assert changed.team == team


async def test_reopening_gives_the_agents_team_too(desk: Desk, complaints: Team) -> None:
    desk.database.call(lambda c: seed.conversation(c, "ended", state="closed"))
    asha = await desk.browser("asha")
    status, _ = await asha.act("/conversations/ended/reopen")
    assert status == 200
    await assert_closed(desk, await desk.browser("ravi"), "ended")


async def test_a_removed_teams_past_is_for_supervisors(desk: Desk, complaints: Team) -> None:
    await _return(desk)
    desk.database.call(lambda c: seed.conversation(c, "open", state="waiting", team=complaints.id))
    desk.database.call(lambda c: teams.remove_team(c, complaints.id))
    ravi, boss = await desk.browser("ravi"), await desk.browser("boss")
    assert WORD not in await read_all(desk, ravi, "talk", ids=_ids(desk))
    assert WORD in await read_all(desk, boss, "talk", ids=_ids(desk))
    await read_all(desk, ravi, "open")


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
    await _return(desk)
    asha, ravi, boss = [await _open(desk, one) for one in ("asha", "ravi", "boss")]
    await ravi.send_json({"type": "look", "conversation": "talk", "known": {}})
    shown = await _until(ravi, "thread")
    await announce(desk.redis, "talk", "state")
    rows = [await _until(one, "rows") for one in (asha, ravi, boss)]
    assert [row["id"] for frame in rows for row in frame["rows"]] == ["talk"] * 3
    assert [WORD in json.dumps(frame) for frame in rows] == [True, False, True]
    assert WORD not in json.dumps(shown)


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
    await _return(desk)
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
    await _return(desk)
    ravi, asha = await desk.browser("ravi"), await desk.browser("asha")
    for browser, left in ((ravi, [f"{WORD}-label"]), (asha, [])):
        status, _ = await browser.act(
            "/conversations/talk/labels", label=f"{WORD}-label", remove="1"
        )
        assert status == 200
        assert desk.database.call(labels.in_use) == left


async def test_a_mention_calls_who_may_see_the_conversation(desk: Desk, complaints: Team) -> None:
    ravi, boss = [await _open(desk, one) for one in ("ravi", "boss")]
    browser = await desk.browser("asha")
    await browser.act("/conversations/talk/note", key="note-to-all", text="@ravi @boss please look")
    assert (await _until(boss, "mention"))["conversation"] == "talk"
    await announce(desk.redis, "talk", "state")
    assert "mention" not in [frame["type"] for frame in await _all_before(ravi, "rows")]
    await _return(desk)
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


# -- what is noted


async def test_stints_note_each_team_until_it_leaves(desk: Desk, complaints: Team) -> None:
    def rows() -> list[tuple[int, str, bool]]:
        s = team_stints.c
        found = desk.database.call(
            lambda c: c.execute(
                sa.select(s.stint, s.team, s.ended_at).order_by(s.stint, s.team)
            ).all()
        )
        return [(row.stint, row.team, row.ended_at is None) for row in found]

    assert rows() == [(1, complaints.id, True)]
    await _return(desk)
    assert rows() == [(1, complaints.id, False)]
    await desk.service.claim("talk", RAVI, key="takeover-by-ravi")
    orders = next(t for t in desk.database.call(teams.list_teams) if t.name == "Orders")
    assert rows() == [(1, complaints.id, False), (2, orders.id, True)]
    await desk.service.transfer("talk", RAVI, to_team=complaints.id, key="to-complaints")
    await desk.service.claim("talk", ASHA, key="claim-again")
    await desk.service.transfer("talk", ASHA, to_team=orders.id, key="and-back")
    assert sorted(rows()) == sorted(
        [(1, complaints.id, False), (2, complaints.id, False), (2, orders.id, True)]
    )
