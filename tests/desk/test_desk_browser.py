"""Two agents in real browsers: the desk as people use it."""

import asyncio
import json
from pathlib import Path

import desk_seed as seed
import pytest
from aiohttp.test_utils import TestServer
from desk_world import PASSWORD, Desk
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect
from sqlalchemy.engine import Connection

from bot.content import versions
from bot.content.load import load_folder
from bot.conversation import store
from bot.conversation.changes import announce
from bot.conversation.states import State
from bot.desk.app import make_app
from bot.desk.conversation import notes
from bot.desk.pages.canned import queries as canned
from bot.stores import redis_keys
from bot.stores.tables import messages

HOSTILE = "<img src=x onerror=document.title='owned'>\u202e"


async def log_in(desk: Desk, chromium: Chromium, login: str, width: int = 1400) -> Page:
    """A page of its own for one user; anything on its console is a failure of the test."""
    context = await chromium.new_context(viewport={"width": width, "height": 800})
    page = await context.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.on("console", lambda m: pytest.fail(m.text) if "Content Security" in m.text else None)
    await page.goto(str(desk.server.make_url("/login")))
    await page.fill("[name=login]", login)
    await page.fill("[name=password]", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/inbox/waiting")
    await expect(page.locator("#lamp")).to_have_class("lamp on")
    return page


async def record(desk: Desk, ident: str) -> None:
    """Bring messages from the record stream into SQL, as the recorder does."""
    stream = redis_keys.record(redis_keys.shard_of(ident, desk.settings.shards))
    for entry, fields in await desk.redis.xrange(stream):
        row = json.loads(fields["body"])
        if row["kind"] == "message":
            values = row["body"]
            desk.database.call(lambda c, v=values: c.execute(messages.insert().values(**v)))
        await desk.redis.xdel(stream, entry)
    await announce(desk.redis, ident, "message")


async def say(desk: Desk, ident: str, text: str, **values: object) -> None:
    """A customer writes."""
    desk.database.call(lambda c: seed.message(c, ident, text, **values))
    await announce(desk.redis, ident, "message")


async def test_from_waiting_to_return(desk: Desk, chromium: Chromium) -> None:
    asha = await log_in(desk, chromium, "asha")
    ravi = await log_in(desk, chromium, "ravi")
    await expect(asha.locator("#empty")).to_have_text("Nobody is waiting.")

    def rows(connection: Connection) -> None:
        seed.conversation(
            connection,
            "webchat-p",
            name="प्रिया",
            state="waiting",
            language="hi",
            cause="negative-sentiment",
            cause_detail=seed.doubt(negative=0.97),
            sentiment=0.8,
        )
        seed.message(
            connection,
            "webchat-p",
            "यह तीसरी बार है!",
            language="hi",
            reading={"intent": "faq", "confidence": 0.55, "language": "hi"},
        )

    desk.database.call(rows)
    await announce(desk.redis, "webchat-p", "state")
    for page in (asha, ravi):
        await expect(page.locator(".row.unread .row-name")).to_have_text("प्रिया")
        await expect(page.locator('[data-count="waiting"]')).to_have_text("1")
        await page.keyboard.press("j")
        await expect(page.locator(".reason")).to_contain_text("Negative 97%, limit 94%")
    await asha.locator(".reading summary").click()
    await expect(asha.locator(".reading dl")).to_contain_text("हिन्दी · hi")

    # The reply is not to be written before the conversation is ours.
    await expect(asha.locator('[data-mode="reply"]')).to_be_disabled()
    await asha.keyboard.press("c")
    await asha.wait_for_url("**/inbox/mine/webchat-p")
    await expect(ravi.locator("#head .state")).to_have_text("Assigned to Asha")
    await expect(ravi.locator("#tools-hint")).to_contain_text("Asha")
    await expect(ravi.locator('#head [data-action="claim"]')).to_have_count(0)
    await expect(ravi.locator("#people")).to_contain_text("Asha is looking")

    await asha.keyboard.press("r")
    await asha.keyboard.type("माफ़ कीजिए, मैं देखती हूँ")
    await expect(ravi.locator("#people")).to_contain_text("Asha is typing")
    await asha.keyboard.press("Enter")
    await expect(asha.locator(".message.agent.pending")).to_contain_text("माफ़ कीजिए")
    await record(desk, "webchat-p")
    await expect(asha.locator(".message.agent:not(.pending)")).to_have_count(1)
    await expect(asha.locator(".pending")).to_have_count(0)
    await expect(ravi.locator(".message.agent .text")).to_have_text("माफ़ कीजिए, मैं देखती हूँ")

    await say(desk, "webchat-p", "धन्यवाद", language="hi")
    await expect(asha.locator(".message.customer").last).to_contain_text("धन्यवाद")

    await asha.locator("#head h2").click()
    await asha.keyboard.press("b")
    await asha.locator("#dialog-return button.primary").click()
    await expect(asha.locator(".nothing")).to_be_visible()
    await expect(ravi.locator("#head .state")).to_have_text("With the bot")
    found = desk.database.call(lambda c: store.get(c, "webchat-p"))
    assert found is not None
    assert found.state == State.BOT


async def test_of_two_who_claim_at_once_one_is_told(desk: Desk, chromium: Chromium) -> None:
    desk.database.call(lambda c: seed.conversation(c, "webchat-r", state="waiting"))
    pages = [await log_in(desk, chromium, login) for login in ("asha", "ravi")]
    for page in pages:
        await page.keyboard.press("j")
        await expect(page.locator('#head [data-action="claim"]')).to_be_visible()
    await asyncio.gather(*(page.keyboard.press("c") for page in pages))
    told = [await page.locator(".toast").first.text_content(timeout=10_000) for page in pages]
    assert sorted(text is not None and "faster" in text for text in told) == [False, True]


async def test_drafts_survive_a_reload_and_notes_stay_apart(desk: Desk, chromium: Chromium) -> None:
    def rows(connection: Connection) -> None:
        seed.conversation(connection, "webchat-d", state="waiting", name=HOSTILE)
        seed.message(connection, "webchat-d", HOSTILE + "x" * 3900)
        canned.save(connection, "sorry", "Sorry, {customer}. – {agent}")

    desk.database.call(rows)
    page = await log_in(desk, chromium, "asha")
    await page.goto(str(desk.server.make_url("/inbox/waiting/webchat-d")))
    # At once: who claims and writes waits for nothing and loses no letter.
    await page.keyboard.press("c")
    await page.keyboard.press("r")
    await page.keyboard.type("/sor")
    await page.wait_for_url("**/inbox/mine/webchat-d")
    await expect(page.locator("#canned-menu button")).to_have_count(1)
    await page.keyboard.press("Enter")
    await page.keyboard.type(" One moment")
    await page.keyboard.press("Escape")
    await page.keyboard.press("n")
    await page.keyboard.type("a note")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.note .text")).to_have_text("a note")
    await page.reload()
    draft = await page.input_value("#text")
    assert draft.startswith("Sorry, <img src=x")
    assert draft.endswith("– Asha One moment")
    # Hostile names and texts are words on the page, nothing else.
    assert await page.locator(".thread img, .rows img, .side img").count() == 0
    assert "owned" not in await page.title()
    assert await page.locator(".unfold").count() == 1


async def test_the_page_catches_up_after_the_connection_was_lost(
    desk: Desk, chromium: Chromium
) -> None:
    desk.database.call(lambda c: seed.conversation(c, "webchat-g", state="waiting"))
    page = await log_in(desk, chromium, "asha")
    await page.keyboard.press("j")
    await expect(page.locator("#head .state")).to_have_text("Waiting")
    await page.context.set_offline(True)
    await page.evaluate("performance.mark('offline')")
    hub_pages = await desk.redis.client_list(_type="pubsub")
    for client in hub_pages:
        await desk.redis.client_kill_filter(_id=client["id"])
    # Written while no notice can arrive.
    desk.database.call(lambda c: seed.message(c, "webchat-g", "are you there?"))
    desk.database.call(lambda c: seed.conversation(c, "webchat-n", state="waiting", name="New"))
    await page.context.set_offline(False)
    await expect(page.locator(".message.customer")).to_contain_text("are you there?")
    await expect(page.locator(".row-name", has_text="New")).to_be_visible()


async def test_a_restart_of_the_desk_loses_no_draft(desk: Desk, chromium: Chromium) -> None:
    desk.database.call(
        lambda c: seed.conversation(c, "webchat-z", state="assigned", owner="u-asha", name="Zoe")
    )
    page = await log_in(desk, chromium, "asha")
    await page.goto(str(desk.server.make_url("/inbox/mine/webchat-z")))
    await page.locator("#text").fill("half a sen")
    port = desk.server.port
    await desk.server.close()
    await expect(page.locator("#lamp")).to_have_class("lamp off")
    await page.locator("#text").press("Enter")
    await expect(page.locator(".toast.bad")).to_contain_text("try again")
    desk.database.call(lambda c: seed.message(c, "webchat-z", "said meanwhile"))
    app = make_app(desk.settings, desk.database, desk.redis, desk.service)
    desk.server = TestServer(app, port=port)
    await desk.server.start_server()
    await expect(page.locator("#lamp")).to_have_class("lamp on", timeout=20_000)
    await expect(page.locator(".message.customer")).to_contain_text("said meanwhile")
    assert await page.input_value("#text") == "half a sen"
    await page.locator("#text").press("Enter")
    await expect(page.locator(".message.agent")).to_contain_text("half a sen")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_shows_list_and_conversation_in_turn(
    desk: Desk, chromium: Chromium, scheme: str
) -> None:
    def rows(connection: Connection) -> None:
        seed.conversation(connection, "webchat-s", state="waiting", name="W" * 90, language="ar")
        seed.message(connection, "webchat-s", "أريد التحدث مع شخص " + "m" * 500, language="ar")

    desk.database.call(rows)
    page = await log_in(desk, chromium, "asha", width=360)
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await page.locator(".row-link").click()
    await expect(page.locator(".list")).to_be_hidden()
    await expect(page.locator("#text")).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    direction = "getComputedStyle(document.querySelector('.message.customer .text')).direction"
    assert await page.evaluate(direction) == "rtl"
    await page.locator(".head .back").click()
    await expect(page.locator(".rows")).to_be_visible()


async def test_no_page_breaks_the_accessibility_rules(desk: Desk, chromium: Chromium) -> None:
    axe = pytest.importorskip("axe_playwright_python.async_playwright").Axe()

    def rows(connection: Connection) -> None:
        seed.conversation(connection, "webchat-x", state="waiting", sentiment=0.8, language="th")
        seed.message(connection, "webchat-x", "สวัสดี", language="th", reading={"intent": "greet"})
        seed.message(connection, "webchat-x", "Hello", "bot", quick_replies=[{"title": "Yes"}])
        notes.add(connection, "webchat-x", "u-ravi", "a note", key="n" * 8)
        canned.save(connection, "hi", "Hello")

    desk.database.call(rows)
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    page = await log_in(desk, chromium, "boss")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for path in ("inbox/waiting", "inbox/open/webchat-x", "users", "canned", "dead-letters"):
            await page.goto(str(desk.server.make_url(f"/{path}")))
            found = await axe.run(page, options=rules)
            broken = [(v["id"], v["nodes"][0]["html"]) for v in found.response["violations"]]
            assert broken == [], f"{path} in {scheme}"


async def test_suggested_answers_come_by_one_key(desk: Desk, chromium: Chromium) -> None:
    def rows(connection: Connection) -> None:
        content = load_folder(Path("data/faq"), desk.settings.languages)
        versions.write(connection, content, based_on=1)
        seed.conversation(connection, "webchat-k", state="waiting", language="th")
        seed.message(
            connection,
            "webchat-k",
            "ของอยู่ไหน",
            language="th",
            reading={"ranking": [["faq/order-status", 0.9]]},
        )

    desk.database.call(rows)
    page = await log_in(desk, chromium, "asha")
    await page.keyboard.press("j")
    await expect(page.locator('#head [data-action="claim"]')).to_be_visible()
    await page.keyboard.press("c")
    await expect(page.locator("[data-insert]")).to_have_count(1)
    wanted = await page.locator("[data-insert]").get_attribute("data-insert")
    await page.keyboard.press("1")
    assert await page.input_value("#text") == wanted
    await page.keyboard.type(" – ")
    await page.keyboard.press("Alt+1")
    assert (await page.input_value("#text")).count(str(wanted)) == 2


async def test_every_shortcut_is_in_the_help(desk: Desk, chromium: Chromium) -> None:
    page = await log_in(desk, chromium, "asha")
    await page.keyboard.press("?")
    help_text = await page.locator("#dialog-keys").inner_text()
    for word in ("Claim", ["Private", "note"][0], "Resolve", "Transfer", "Snooze", "Search"):
        assert word.lower() in help_text.lower()
    await page.keyboard.press("Escape")
    await expect(page.locator("#dialog-keys")).to_be_hidden()
    await page.keyboard.press("g")
    await page.keyboard.press("o")
    await page.wait_for_url("**/inbox/open")
