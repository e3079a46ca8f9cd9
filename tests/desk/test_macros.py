"""Macros and canned replies: written by administrators, done in order, once, in any language."""

from typing import Any

import desk_seed as seed
import pytest
import sqlalchemy as sa
from desk_world import Desk
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect
from sqlalchemy.engine import Connection
from test_desk_browser import log_in, record

from bot.conversation import store
from bot.conversation.states import State
from bot.desk import tables
from bot.desk.pages.canned import queries as canned
from bot.desk.pages.macros import queries as macros
from bot.errors import BadRequest
from bot.stores import redis_keys
from bot.stores.tables import messages, snoozes

ONE = "/conversations/webchat-1"
FULL = {
    "name": "Refund done",
    "reply": "Dear {customer}, it is refunded. – {agent}, {business} {x}",
    "note": "checked with @ravi",
    "label": "Refund",
    "priority": "1",
    "end": "resolve",
    "topic": "refunds",
    "outcome": "solved",
}
HOSTILE = "<script>alert(1)</script>\u202e"


def assigned(desk: Desk, **values: Any) -> None:
    def rows(connection: Connection) -> None:
        seed.conversation(connection, "webchat-1", state="assigned", owner="u-asha", **values)
        seed.message(connection, "webchat-1", "hello")

    desk.database.call(rows)


def only(desk: Desk) -> macros.Macro:
    (made,) = desk.database.call(macros.list_all)
    return made


async def written(desk: Desk, **fields: str) -> macros.Macro:
    admin = await desk.browser("boss")
    status, answer = await admin.act("/macros", **fields)
    assert status == 200, answer
    return only(desk)


async def sent(desk: Desk) -> int:
    shard = redis_keys.shard_of("webchat-1", desk.settings.shards)
    return int(await desk.redis.xlen(redis_keys.outbox(shard)))


async def test_a_macro_does_everything_in_order_and_once(desk: Desk) -> None:
    assigned(desk, name="Priya {agent}")
    made = await written(desk, **FULL)
    assert [step["do"] for step in made.steps] == ["note", "label", "priority", "reply", "resolve"]
    asha = await desk.browser()
    for _ in range(2):
        status, answer = await asha.act(f"{ONE}/macros/{made.id}", key="same-key-1")
        assert (status, answer["stays"]) == (200, False)
    found = desk.database.call(lambda c: store.get(c, "webchat-1"))
    assert found is not None
    assert (found.state, found.priority) == (State.RESOLVED, 1)
    assert await sent(desk) == 2, "the reply and the notice of the end"
    await record(desk, "webchat-1")
    said = desk.database.call(
        lambda c: (
            c.execute(sa.select(messages.c.text).where(messages.c.author == "agent"))
            .scalars()
            .one()
        )
    )
    assert said == "Dear Priya {agent}, it is refunded. – Asha, Mela {x}"
    called = desk.database.call(lambda c: c.execute(sa.select(tables.mentions.c.user_id)).scalars())
    assert list(called) == ["u-ravi"]


async def test_a_macro_is_for_the_agent_who_has_the_conversation(desk: Desk) -> None:
    assigned(desk)
    made = await written(desk, name="Note and end", note="done", end="return")
    ravi = await desk.browser("ravi")
    assert (await ravi.act(f"{ONE}/macros/{made.id}"))[0] == 409
    stored = desk.database.call(lambda c: c.execute(sa.select(tables.notes)).all())
    assert stored == [], "not even the first step is done"
    assert await sent(desk) == 0
    found = desk.database.call(lambda c: store.get(c, "webchat-1"))
    assert found is not None
    assert found.state == State.ASSIGNED


async def test_a_macro_does_nothing_to_what_has_ended(desk: Desk) -> None:
    assigned(desk)
    made = await written(desk, name="Note and end", note="done", end="return")
    asha = await desk.browser()
    await asha.act(f"{ONE}/resolve", topic="other", outcome="solved")
    told = await sent(desk)
    assert (await asha.act(f"{ONE}/macros/{made.id}"))[0] == 409
    assert desk.database.call(lambda c: c.execute(sa.select(tables.notes)).all()) == []
    assert await sent(desk) == told


async def test_a_macro_that_replies_is_held_back_when_the_customer_wrote(desk: Desk) -> None:
    assigned(desk)
    made = await written(desk, name="Bye", reply="Bye")
    desk.database.call(lambda c: seed.message(c, "webchat-1", "wait"))
    asha = await desk.browser()
    path = f"{ONE}/macros/{made.id}"
    assert (await asha.act(path, last="m00000"))[1]["code"] == "thread-changed"
    assert await sent(desk) == 0
    assert (await asha.act(path, last="m00001"))[0] == 200


async def test_snoozing_by_macro_waits_for_a_reply(desk: Desk) -> None:
    assigned(desk)
    made = await written(desk, name="Wait", end="snooze")
    asha = await desk.browser()
    assert (await asha.act(f"{ONE}/macros/{made.id}"))[0] == 200
    until = desk.database.call(lambda c: c.execute(sa.select(snoozes.c.until)).scalar_one())
    assert until == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "\u202e"}, "bad-macro-name"),
        ({"name": "x" * 61}, "bad-macro-name"),
        ({"topic": "weather"}, "bad-topic"),
        ({"outcome": "great"}, "bad-outcome"),
        ({"priority": "9"}, "bad-priority"),
        ({"label": "\u202e"}, "bad-label"),
        ({"reply": "x" * 4001}, "text-length"),
        ({"note": "x" * 4001}, "note-too-long"),
    ],
)
async def test_what_cannot_be_done_is_not_stored(
    desk: Desk, change: dict[str, str], code: str
) -> None:
    admin = await desk.browser("boss")
    status, answer = await admin.act("/macros", **{**FULL, **change})
    assert (status, answer["code"]) == (400, code)
    assert desk.database.call(macros.list_all) == []


async def test_a_macro_that_does_nothing_is_refused_and_agents_write_none(desk: Desk) -> None:
    admin, asha = await desk.browser("boss"), await desk.browser()
    assert (await admin.act("/macros", name="Nothing"))[1]["code"] == "empty-macro"
    assert (await asha.act("/macros", **FULL))[0] == 403
    assert (await asha.act("/macros/x1/remove"))[0] == 403
    assert (await asha.act(f"{ONE}/macros/gone"))[0] == 404


async def test_the_same_name_replaces_and_hostile_ones_are_words(desk: Desk) -> None:
    await written(desk, **{**FULL, "name": HOSTILE, "reply": HOSTILE})
    made = await written(desk, **{**FULL, "name": HOSTILE, "reply": HOSTILE, "label": "x<y"})
    assert made.name == "<script>alert(1)</script>"
    html = await (await desk.browser()).text("/macros")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    await (await desk.browser("boss")).act(f"/macros/{made.id}/remove")
    assert desk.database.call(macros.list_all) == []


@pytest.mark.parametrize("word", ["धन्यवाद", "ขอบคุณ", "നന്ദി", "شكرا", "क्ष\u200dमा", "merci_2"])
def test_shortcuts_are_words_of_any_language(desk: Desk, word: str) -> None:
    desk.database.call(lambda c: canned.save(c, f"/{word}", "text"))
    assert desk.database.call(canned.list_all)[0].shortcut == word.casefold()


@pytest.mark.parametrize("word", ["", "two words", "a/b", "\u202eabc", "x" * 41, "<b>", "🙂"])
def test_other_shortcuts_are_refused(desk: Desk, word: str) -> None:
    with pytest.raises(BadRequest, match="shortcut"):
        desk.database.call(lambda c: canned.save(c, word, "text"))


async def test_a_macro_by_keys_and_canned_replies_in_any_script(
    desk: Desk, chromium: Chromium
) -> None:
    assigned(desk, name="Priya")
    await written(desk, name="Wait <b>", reply="One moment, {customer}", end="snooze")

    def replies(connection: Connection) -> None:
        canned.save(connection, "धन्यवाद", "आपका धन्यवाद")
        canned.save(connection, "résumé", "Here it is, {customer}")
        canned.save(connection, "ขอบคุณ", "ขอบคุณค่ะ")

    desk.database.call(replies)
    page = await log_in(desk, chromium, "asha")
    await page.goto(str(desk.server.make_url("/inbox/mine/webchat-1")))
    await expect(page.locator("#lamp")).to_have_class("lamp on")
    for typed, found in (
        ("/धन्य", "/धन्यवाद"),
        ("/RESU", "/résumé"),
        ("/ขอบ", "/ขอบคุณ"),
        ("/ค่ะ", "/ขอบคุณ"),
    ):
        await page.fill("#text", typed)
        await expect(page.locator("#canned-menu button")).to_have_count(1)
        await expect(page.locator("#canned-menu button bdi")).to_have_text(found)
    await page.fill("#text", "/resu")
    await expect(page.locator("#canned-menu button")).to_have_count(1)
    await page.locator("#text").press("Enter")
    assert await page.input_value("#text") == "Here it is, Priya"
    await page.locator("#text").press("Escape")
    await page.keyboard.press("m")
    await expect(page.locator("#macro-list bdi")).to_have_text("Wait <b>")
    await page.keyboard.press("Enter")
    await expect(page.locator(".toast").first).to_contain_text("Done: Wait <b>")
    await expect(page.locator('[data-count="snoozed"]')).to_have_text("1")
