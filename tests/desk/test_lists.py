"""Lists: mentions, topics, orders, a user's own filters and how many each shows."""

import time
from typing import Any

import desk_seed as seed
import pytest
import sqlalchemy as sa
from desk_world import Browser, Desk

from bot.desk import tables
from bot.desk.conversation import mentions
from bot.desk.lists import queries, saved_filters
from bot.desk.lists.counts import count_open
from bot.desk.lists.filters import Filters, View
from bot.errors import BadRequest

HOSTILE = "<b onmouseover=alert(1)>\u202eevil\u2066"


def add(desk: Desk, ident: str, **values: Any) -> None:
    desk.database.call(lambda c: seed.conversation(c, ident, **values))


def ids(desk: Desk, view: View, **filters: str) -> list[str]:
    rows = desk.database.call(
        lambda c: queries.list_rows(c, view, "u-ravi", filters=Filters.of(filters))
    )
    return [row.id for row in rows]


def called(desk: Desk, user_id: str) -> int:
    """Conversations with a mention the user has not seen."""
    return desk.database.call(count_open).of(user_id)["mentions"]


async def note(browser: Browser, ident: str, text: str, key: str = "note-key-1") -> None:
    status, _ = await browser.act(f"/conversations/{ident}/note", text=text, key=key)
    assert status == 200


async def test_a_mention_brings_the_conversation_into_a_colleagues_list(desk: Desk) -> None:
    for ident in ("one", "two"):
        add(desk, ident)
    asha, ravi = await desk.browser(), await desk.browser("ravi")
    for _ in range(2):
        await note(asha, "one", "@Ravi, can you look? (@boss knows; nobody@ravi.example)")
    await note(asha, "two", "and this, @ravi.", key="note-key-2")
    assert ids(desk, View.MENTIONS) == ["two", "one"]
    counts = desk.database.call(count_open)
    called = {user: counts.of(user)["mentions"] for user in ("u-ravi", "u-boss", "u-asha")}
    assert called == {"u-ravi": 2, "u-boss": 1, "u-asha": 0}
    assert (await ravi.act("/conversations/one/read"))[0] == 204
    counts = desk.database.call(count_open)
    assert [counts.of(user)["mentions"] for user in ("u-ravi", "u-boss")] == [1, 1]
    assert ids(desk, View.MENTIONS) == ["two", "one"], "seen ones stay in the list"
    assert 'data-id="two"' in await ravi.text("/inbox/mentions")


@pytest.mark.parametrize("text", ["nobody here", "mail me@ravi", "@nobody", "@", "@@", "@asha"])
async def test_other_words_call_nobody(desk: Desk, text: str) -> None:
    add(desk, "one")
    await note(await desk.browser(), "one", text)
    assert desk.database.call(lambda c: c.execute(sa.select(tables.mentions)).all()) == []


def test_a_note_is_cut_at_its_mentions() -> None:
    logins = {"asha": "Asha", "ravi.k": "Ravi <K>"}
    assert mentions.parts("@asha: ask @Ravi.K. @x", logins) == [
        ("@asha", "Asha"),
        (": ask ", ""),
        ("@Ravi.K", "Ravi <K>"),
        (". @x", ""),
    ]
    assert mentions.parts(HOSTILE, logins) == [(HOSTILE, "")]


async def test_colleagues_who_left_are_not_offered(desk: Desk) -> None:
    admin = await desk.browser("boss")
    await admin.act("/users/u-ravi/disable")
    offered = await (await admin.client.get("/people.json")).json()
    assert [one["login"] for one in offered] == ["asha", "boss"]


def test_lists_are_narrowed_and_ordered(desk: Desk) -> None:
    now = time.time()
    add(desk, "calm", last_message_at=now - 5, topic="orders")
    add(desk, "urgent", priority=3, last_message_at=now - 90, topic="refunds")
    add(desk, "old", state="waiting", waiting_since=now - 900, last_message_at=now - 50)
    add(desk, "new", state="waiting", waiting_since=now - 10, last_message_at=now - 10)
    assert ids(desk, View.OPEN) == ["calm", "new", "old", "urgent"]
    assert ids(desk, View.OPEN, sort="priority") == ["urgent", "old", "new", "calm"]
    assert ids(desk, View.OPEN, sort="waiting") == ["old", "new", "calm", "urgent"]
    assert ids(desk, View.WAITING, sort="latest") == ["new", "old"]
    assert ids(desk, View.OPEN, topic="refunds") == ["urgent"]
    assert ids(desk, View.OPEN, priority="2") == ["urgent"]
    assert ids(desk, View.OPEN, sort="nonsense", priority="9") == ["calm", "new", "old", "urgent"]
    assert desk.database.call(queries.facets)["topic"] == ["orders", "refunds"]


async def test_a_filter_is_kept_by_its_name_and_seen_by_its_owner_only(desk: Desk) -> None:
    add(desk, "one", language="hi")
    add(desk, "two", language="hi", state="waiting")
    asha, ravi = await desk.browser(), await desk.browser("ravi")
    fields = {"view": "open", "language": "hi", "search": "Priya 98765", "name": "हिन्दी "}
    status, answer = await asha.act("/filters", **fields)
    assert status == 200
    await asha.act("/filters", **{**fields, "view": "waiting"})
    stored = desk.database.call(lambda c: c.execute(sa.select(tables.filters)).mappings().all())
    assert len(stored) == 1
    assert stored[0]["query"] == {"view": "waiting", "language": "hi"}, "no customer's words"
    await ravi.act(f"/filters/{answer['saved']}/remove")
    mine = desk.database.call(lambda c: saved_filters.of_users(c, ["u-asha"]))["u-asha"]
    assert [one.name for one in mine] == ["हिन्दी"]
    sizes = desk.database.call(lambda c: saved_filters.sizes(c, "u-asha", mine))
    assert sizes == {mine[0].id: 1}
    await asha.act(f"/filters/{mine[0].id}/remove")
    assert desk.database.call(lambda c: saved_filters.of_users(c, ["u-asha"])) == {}


@pytest.mark.parametrize("name", ["", " ", "\u202e\u2066", "\u200d", "x" * 41])
async def test_names_that_cannot_be_seen_or_are_endless_are_refused(desk: Desk, name: str) -> None:
    asha = await desk.browser()
    status, answer = await asha.act("/filters", view="open", language="hi", name=name)
    assert (status, answer["code"]) == (400, "bad-filter-name")


async def test_a_filter_without_a_filter_is_refused(desk: Desk) -> None:
    asha = await desk.browser()
    fields = {"name": "all", "search": "x", "sort": "bogus"}
    assert (await asha.act("/filters", view="open", **fields))[1]["code"] == "empty-filter"
    assert (await asha.act("/filters", view="nowhere", **fields))[0] == 404


def test_a_hostile_name_keeps_its_signs_and_loses_what_turns_text(desk: Desk) -> None:
    def work(connection: sa.Connection) -> str:
        filters = Filters(language="hi")
        return saved_filters.save(connection, "u-asha", HOSTILE, View.OPEN, filters).name

    assert desk.database.call(work) == "<b onmouseover=alert(1)>evil"


def test_nobody_keeps_more_filters_than_fit(desk: Desk) -> None:
    def work(connection: sa.Connection) -> None:
        for number in range(saved_filters.MOST_PER_USER + 1):
            filters = Filters(sort="latest")
            saved_filters.save(connection, "u-asha", f"n{number}", View.OPEN, filters)

    with pytest.raises(BadRequest, match="20"):
        desk.database.call(work)
