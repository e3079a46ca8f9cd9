"""Many open pages: everybody gets a change once; its cost grows with their number, not faster."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator
from types import FrameType
from typing import Any

import desk_seed as seed
import pytest
from desk_world import Desk
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.live.hub import Hub
from bot.desk.live.seats import Seat
from bot.desk.people.auth import Session
from bot.desk.people.users import Role, User
from bot.desk.web import RENDERER

LANGUAGES = ("en", "hi", "ar")


def agent(number: int) -> User:
    return User(
        id=f"u-{number}",
        login=f"agent{number}",
        name=f"Agent {number}",
        role=Role.AGENT,
        languages=(),
        interface_language="",
        disabled=False,
        locked_until=0.0,
        created_at=0.0,
    )


@contextlib.asynccontextmanager
async def open_pages(desk: Desk, count: int) -> AsyncIterator[list[Seat]]:
    """Seat agents who each have a conversation and speak one of three languages."""
    catalogue = desk.server.app[RENDERER].catalogue

    def rows(connection: Connection) -> None:
        for number in range(count):
            ident = f"webchat-{count}-{number}"
            seed.conversation(connection, ident, state="assigned", owner=f"u-{number}")

    desk.database.call(rows)
    async with contextlib.AsyncExitStack() as stack:
        seats = []
        for number in range(count):
            session = Session(agent(number), "csrf", f"digest-{count}-{number}")
            texts = catalogue.of(LANGUAGES[number % len(LANGUAGES)])
            seats.append(await stack.enter_async_context(hub(desk).seated(session, texts)))
        yield seats


def hub(desk: Desk) -> Hub:
    return desk.server.app[app_keys.HUB]


def frames(seat: Seat, kind: str) -> list[dict[str, Any]]:
    found = []
    while not seat.frames.empty():
        body = json.loads(seat.frames.get_nowait())
        found += [body] if body["type"] == kind else []
    return found


async def steps(desk: Desk, conversation: str) -> int:
    """Calls of Python functions that sending one change takes in the loop's thread."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        await hub(desk)._flush({conversation})
    finally:
        sys.setprofile(None)
    return count


async def test_every_page_gets_a_change_once_in_its_language(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer, rendered = desk.server.app[RENDERER], []
    draw = renderer.row
    monkeypatch.setattr(
        renderer, "row", lambda row, texts: rendered.append(texts.language) or draw(row, texts)
    )
    async with open_pages(desk, 120) as seats:
        desk.database.call(lambda c: seed.conversation(c, "new", state="waiting", name="Meera"))
        await hub(desk)._flush({"new"})
        for number, seat in enumerate(seats):
            (change,) = frames(seat, "rows")
            assert [row["id"] for row in change["rows"]] == ["new"]
            assert 'data-id="new" data-state="waiting"' in change["rows"][0]["html"]
            assert change["counts"]["mine"] == 1
            assert change["counts"]["waiting"] == 1
            wanted = seat.texts.say("cause.asked")
            assert wanted in change["rows"][0]["html"], (number, wanted)
    assert sorted(rendered) == sorted(LANGUAGES)


async def test_the_cost_of_a_change_grows_with_the_pages_not_their_square(desk: Desk) -> None:
    desk.database.call(lambda c: seed.conversation(c, "new", state="waiting"))
    taken = {}
    for count in (50, 200):
        async with open_pages(desk, count):
            await hub(desk)._flush({"new"})
            taken[count] = await steps(desk, "new")
    assert taken[200] < 5 * taken[50], taken


async def test_who_looks_is_told_to_those_who_look_too(desk: Desk) -> None:
    desk.database.call(lambda c: seed.conversation(c, "one", state="waiting"))
    async with open_pages(desk, 60) as seats:
        asha, ravi = seats[0], seats[1]
        for seat in (asha, ravi):
            await hub(desk).look(seat, "one", {})
        notice = {"conversation": "one", "what": "look", "user": "u-1", "name": "Agent 1"}
        for _ in range(5):
            hub(desk)._take(json.dumps(notice))
        told = [frame["people"] for frame in frames(asha, "people")]
        assert told[-1] == [{"name": "Agent 1", "typing": ""}]
        assert sum(people == told[-1] for people in told) == 1, "the same is not told again"
        assert all(not frames(seat, "people") for seat in seats[2:])
        await hub(desk).look(asha, "", {})
        assert hub(desk)._seats.showing("one") == (ravi,)
    assert hub(desk)._seats.showing("one") == ()
    assert not hub(desk)._seats
