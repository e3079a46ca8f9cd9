"""Who sees what: lists, counts, search, threads, actions, live frames; with two teams.

`asha` is in the team of refunds, `ravi` is not, `boss` is an admin.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import desk_seed as seed
import pytest
import sqlalchemy as sa
from aiohttp import ClientWebSocketResponse
from desk_routes import assert_closed
from desk_world import Browser, Desk

from bot.conversation.changes import announce
from bot.desk import app_keys
from bot.desk.lists import queries
from bot.desk.lists.counts import count_open
from bot.desk.lists.filters import View
from bot.desk.people import scope, users
from bot.desk.search import find
from bot.routing import teams
from bot.routing.model import EVERYONE, Team
from bot.stores.tables import conversations, dead_letters


@pytest.fixture
async def refunds(desk: Desk) -> Team:
    """A team with asha in it, and one waiting conversation."""

    def work(c: sa.Connection) -> Team:
        team = teams.save_team(c, Team("", "Refunds"))
        teams.set_members(c, team.id, ["u-asha"])
        seed.conversation(c, "secret", state="waiting", team=team.id, name="Zelda")
        seed.message(c, "secret", "my card number is peculiar")
        seed.conversation(c, "open", state="waiting", team=EVERYONE)
        seed.message(c, "open", "something peculiar too")
        return team

    return desk.database.call(work)


def _scope(desk: Desk, login: str) -> scope.Scope:
    def work(c: sa.Connection) -> scope.Scope:
        return scope.of(c, users.get_user(c, f"u-{login}"))

    return desk.database.call(work)


def _listed(desk: Desk, login: str, view: View = View.WAITING, **more: Any) -> set[str]:
    seen = _scope(desk, login)
    rows = desk.database.call(
        lambda c: queries.list_rows(c, view, f"u-{login}", scope=seen, **more)
    )
    return {row.id for row in rows}


async def test_lists_and_counts_are_those_of_the_teams(desk: Desk, refunds: Team) -> None:
    assert _listed(desk, "asha") == _listed(desk, "boss") == {"secret", "open"}
    assert _listed(desk, "ravi") == _listed(desk, "ravi", View.OPEN) == {"open"}
    counts = desk.database.call(count_open)
    of = {one: counts.of(f"u-{one}", _scope(desk, one)) for one in ("asha", "ravi", "boss")}
    assert [of[one]["waiting"] for one in of] == [2, 1, 2]
    assert [of[one]["open"] for one in of] == [2, 1, 2]
    ravi = _scope(desk, "ravi")
    shown = desk.database.call(lambda c: queries.facets(c, ravi))
    desk.database.call(
        lambda c: c.execute(
            sa.update(conversations).where(conversations.c.id == "secret").values(language="th")
        )
    )
    assert desk.database.call(lambda c: queries.facets(c, ravi)) == shown


async def test_the_pages_use_it(desk: Desk, refunds: Team) -> None:
    for login, names in (("asha", True), ("ravi", False), ("boss", True)):
        browser = await desk.browser(login)
        for path in (
            "/inbox/waiting",
            "/inbox/open",
            "/inbox/open?search=peculiar",
            "/inbox/open?search=Zelda",
        ):
            assert ('data-id="secret"' in await browser.text(path)) == names, (login, path)
        found = await browser.text("/inbox/open?search=peculiar", **{"X-Fragment": "rows"})
        assert 'data-id="open"' in found


async def test_nothing_of_one_conversation_can_be_reached(desk: Desk, refunds: Team) -> None:
    """Every address of the application that names a conversation, whoever added it."""
    ravi = await desk.browser("ravi")
    await assert_closed(desk, ravi, "secret")
    left = desk.database.call(
        lambda c: c.execute(
            sa.select(conversations.c.state, conversations.c.version).where(
                conversations.c.id == "secret"
            )
        ).one()
    )
    assert tuple(left) == ("waiting", 1)


async def test_a_conversation_that_is_not_there_looks_the_same(desk: Desk, refunds: Team) -> None:
    ravi = await desk.browser("ravi")
    answers = []
    for name in ("secret", "nothing"):
        response = await ravi.client.get(
            f"/inbox/open/{name}", headers={"Accept": "application/json"}
        )
        answers.append((response.status, await response.text()))
    assert answers[0] == answers[1]


async def _open(desk: Desk, browser: Browser) -> ClientWebSocketResponse:
    origin = f"http://{desk.server.host}:{desk.server.port}"
    socket = await browser.client.ws_connect("/socket", headers={"Origin": origin})
    hub = desk.server.app[app_keys.HUB]
    await asyncio.wait_for(hub.listening.wait(), 10)
    return socket


async def _until(socket: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            frame: dict[str, Any] = json.loads(await socket.receive_str())
            if frame["type"] == kind:
                return frame


async def test_live_frames_carry_only_what_may_be_seen(desk: Desk, refunds: Team) -> None:
    asha, ravi = [await _open(desk, await desk.browser(one)) for one in ("asha", "ravi")]
    await announce(desk.redis, "secret", "state")
    seen, hidden = await _until(asha, "rows"), await _until(ravi, "rows")
    assert [row["id"] for row in seen["rows"]] == ["secret"]
    assert hidden["rows"] == []
    assert "gone" not in hidden, "its page never had the row, so the id is none of its business"
    assert (seen["counts"]["waiting"], hidden["counts"]["waiting"]) == (2, 1)
    assert "peculiar" not in json.dumps(hidden)


async def test_nobody_looks_into_another_teams_conversation_over_the_socket(
    desk: Desk, refunds: Team
) -> None:
    ravi = await _open(desk, await desk.browser("ravi"))
    await ravi.send_json({"type": "look", "conversation": "secret", "known": {}})
    await ravi.send_json({"type": "typing"})
    await ravi.send_json({"type": "look", "conversation": "open", "known": {}})
    frame = await _until(ravi, "thread")
    assert frame["conversation"] == "open"


async def test_a_conversation_that_goes_to_another_team_leaves_the_page(
    desk: Desk, refunds: Team
) -> None:
    ravi = await _open(desk, await desk.browser("ravi"))
    await ravi.send_json({"type": "look", "conversation": "open", "known": {}})
    await _until(ravi, "thread")
    desk.database.call(
        lambda c: c.execute(
            sa.update(conversations).where(conversations.c.id == "open").values(team=refunds.id)
        )
    )
    await announce(desk.redis, "open", "state")
    assert (await _until(ravi, "rows"))["gone"] == ["open"]
    await announce(desk.redis, "open", "message")
    await _until(ravi, "rows")
    hub = desk.server.app[app_keys.HUB]
    assert all(seat.conversation == "" for seat in hub._seats)


async def test_the_owner_sees_their_own_whatever_the_team(desk: Desk, refunds: Team) -> None:
    desk.database.call(
        lambda c: seed.conversation(c, "mine", state="assigned", owner="u-ravi", team=refunds.id)
    )
    assert "mine" in _listed(desk, "ravi", View.MINE) & _listed(desk, "ravi", View.OPEN)
    ravi = await desk.browser("ravi")
    await ravi.text("/inbox/mine/mine")


async def test_what_may_not_be_seen_crowds_nothing_out(desk: Desk, refunds: Team) -> None:
    def work(c: sa.Connection) -> None:
        for number in range(find.MOST + 5):
            seed.conversation(c, f"s{number}", state="waiting", team=refunds.id)
            seed.message(c, f"s{number}", "something peculiar")

    desk.database.call(work)
    ravi = await desk.browser("ravi")
    html = await ravi.text("/inbox/open?search=peculiar", **{"X-Fragment": "rows"})
    assert 'data-id="open"' in html
    assert 'data-id="s' not in html


async def test_dead_letters_and_earlier_episodes_are_those_of_the_teams(
    desk: Desk, refunds: Team
) -> None:
    def work(c: sa.Connection) -> None:
        for name in ("secret", "open"):
            c.execute(
                sa.insert(dead_letters).values(
                    id=f"d-{name}",
                    direction="out",
                    conversation=name,
                    error="x",
                    body={},
                    created_at=1.0,
                )
            )
        c.execute(
            sa.update(conversations)
            .where(conversations.c.id == "secret")
            .values(customer_id="c-open")
        )
        seed.event(c, "secret", "episode.started", episode_id="e-old")

    desk.database.call(work)
    for login, sees in (("ravi", False), ("boss", True)):
        browser = await desk.browser(login)
        letters = await browser.text("/dead-letters")
        assert ("/inbox/open/secret" in letters) == sees
        assert "/inbox/open/open" in letters
        side = (await browser.text("/inbox/open/open")).partition('id="side"')[2]
        assert ("secret" in side) == sees


async def test_with_the_bot_a_conversation_belongs_to_no_team(desk: Desk, refunds: Team) -> None:
    desk.database.call(lambda c: seed.conversation(c, "bots", state="bot"))
    assert "bots" in _listed(desk, "ravi", View.OPEN)


def test_supervisors_see_everything() -> None:
    for role, everything in (("agent", False), ("supervisor", True), ("admin", True)):
        user = users.User("u", "u", "U", users.Role(role), (), "", False, 0.0, 0.0)
        assert (scope.among(user, {}).teams is None) == everything


def test_condition_and_predicate_agree() -> None:
    one = scope.Scope("u1", frozenset({EVERYONE, "a"}))
    engine = sa.create_engine("sqlite://")
    with engine.begin() as c:
        conversations.create(c)
        pairs = [(t, o) for t in (None, "a", "b", EVERYONE) for o in (None, "u1", "u2")]
        for number, (team, owner) in enumerate(pairs):
            c.execute(
                sa.insert(conversations).values(
                    id=str(number),
                    channel="",
                    account="",
                    vendor_user="",
                    customer_id="",
                    state="bot",
                    version=1,
                    owner=owner,
                    episode_id="",
                    episode_started_at=0,
                    stint=1,
                    last_message_at=0,
                    team=team,
                )
            )
        for who in (one, scope.EVERYTHING):
            seen = set(c.execute(sa.select(conversations.c.id).where(who.condition())).scalars())
            assert seen == {str(n) for n, (t, o) in enumerate(pairs) if who.sees(t, o)}


def test_every_list_of_the_desk_is_asked_with_a_scope() -> None:
    for path in Path("bot/desk").rglob("*.py"):
        if path == Path("bot/desk/pages/overview/queries.py"):
            continue  # its page is for those who see everything
        text = path.read_text("utf-8").replace("\n", " ")
        for name in ("list_rows(", "facets(", "sizes("):
            for part in text.split(f"queries.{name}")[1:] + text.split(f"saved_filters.{name}")[1:]:
                assert "seen" in part[:200] or "scope" in part[:200], f"{path}: {name}"
