"""Assign, priority, merge, block, own lists and mentions in a real browser, by keyboard."""

import asyncio
from typing import Any

import desk_seed as seed
import sqlalchemy as sa
from desk_world import Desk
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, Route, expect
from sqlalchemy.engine import Connection
from test_desk_browser import HOSTILE, log_in, record, say

from bot.conversation import store
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.desk import tables
from bot.streams import addresses


def add(desk: Desk, ident: str, **values: Any) -> None:
    def rows(connection: Connection) -> None:
        seed.conversation(connection, ident, **values)
        seed.message(connection, ident, f"hello from {ident}")

    desk.database.call(rows)


def read(desk: Desk, ident: str) -> Conversation:
    found = desk.database.call(lambda c: store.get(c, ident))
    assert found is not None
    return found


async def show(desk: Desk, page: Page, path: str) -> None:
    await page.goto(str(desk.server.make_url(path)))
    await expect(page.locator("#lamp")).to_have_class("lamp on")


async def test_priority_is_set_and_taken_back_by_keys(desk: Desk, chromium: Chromium) -> None:
    add(desk, "webchat-p", state="waiting")
    page = await log_in(desk, chromium, "asha")
    await page.keyboard.press("j")
    await expect(page.locator("#head .state")).to_have_text("Waiting")
    await page.keyboard.press("p")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await expect(page.locator(".row .priority-3")).to_have_text("Urgent")
    await expect(page.locator("[data-undo]")).to_be_visible()
    await page.keyboard.press("u")
    await expect(page.locator(".row .priority-3")).to_have_count(0)
    assert read(desk, "webchat-p").priority == 0


async def test_assigning_and_transferring_to_a_colleague(desk: Desk, chromium: Chromium) -> None:
    add(desk, "webchat-a", state="waiting")
    asha, ravi = await log_in(desk, chromium, "asha"), await log_in(desk, chromium, "ravi")
    await asha.keyboard.press("j")
    await expect(asha.locator('#head [data-action="claim"]')).to_be_visible()
    await asha.keyboard.press("a")
    await expect(asha.locator("#dialog-assign option", has_text="Ravi (online)")).to_have_count(1)
    await asha.select_option("#dialog-assign select", "u-ravi")
    await asha.locator("#dialog-assign .primary").click()
    await expect(asha.locator(".toast").first).to_contain_text("Assigned")
    await expect(ravi.locator('[data-count="mine"]')).to_have_text("1")
    await show(desk, ravi, "/inbox/mine/webchat-a")
    await ravi.keyboard.press("t")
    await ravi.select_option("#dialog-transfer select", "agent:u-asha")
    await ravi.fill("#dialog-transfer textarea", "knows her well")
    await ravi.locator("#dialog-transfer .primary").click()
    await expect(asha.locator('[data-count="mine"]')).to_have_text("1")
    assert read(desk, "webchat-a").owner == "u-asha"
    await show(desk, asha, "/inbox/mine/webchat-a")
    await expect(asha.locator(".message.note .text")).to_have_text("knows her well")


async def test_customers_are_merged_and_parted(desk: Desk, chromium: Chromium) -> None:
    add(desk, "webchat-m", state="waiting", name="Priya")
    add(desk, "telegram-m", name=HOSTILE, channel="telegram")
    page = await log_in(desk, chromium, "asha")
    await show(desk, page, "/inbox/open/webchat-m")
    await page.keyboard.press("y")
    await expect(page.locator("#merge-found")).to_have_text("Nobody found.")
    await page.fill("#merge-search", "telegram-m")
    await page.locator("#merge-found input").click()
    assert await page.locator("dialog img").count() == 0
    await page.locator("#dialog-merge .primary").click()
    await expect(page.locator('.side a[href="/inbox/open/telegram-m"]')).to_have_count(1)
    await page.locator("[data-undo]").click()
    await expect(page.locator('.side a[href="/inbox/open/telegram-m"]')).to_have_count(0)


async def test_blocking_asks_first_and_shows(desk: Desk, chromium: Chromium) -> None:
    add(desk, "webchat-b", state="assigned", owner="u-asha")
    page = await log_in(desk, chromium, "asha")
    await show(desk, page, "/inbox/mine/webchat-b")
    await page.keyboard.press("x")
    await page.locator("#dialog-block .primary").click()
    await expect(page.locator(".toast").first).to_contain_text("Blocked")
    await show(desk, page, "/inbox/done/webchat-b")
    await expect(page.locator(".reason.blocked")).to_be_visible()
    await expect(page.locator(".row .blocked")).to_have_text("Blocked")
    await page.keyboard.press("x")
    await expect(page.locator(".reason.blocked")).to_have_count(0)
    await page.keyboard.press("c")
    await page.wait_for_url("**/inbox/mine/webchat-b")
    assert read(desk, "webchat-b").state == State.ASSIGNED


async def test_an_address_is_shut_along_with_the_customer(desk: Desk, chromium: Chromium) -> None:
    for ident in ("telegram-n", "webchat-n"):
        add(desk, ident, state="assigned", owner="u-asha")
    await addresses.may_write(desk.redis, "webchat-n", "digest")
    page = await log_in(desk, chromium, "asha")
    await show(desk, page, "/inbox/mine/telegram-n")
    async with page.expect_response("**/address.json"):
        await page.keyboard.press("x")
    await expect(page.locator("#block-address")).to_be_hidden()
    await page.keyboard.press("Escape")
    await show(desk, page, "/inbox/mine/webchat-n")
    await page.keyboard.press("x")
    await page.locator("#block-address input").check()
    await page.locator("#dialog-block .primary").click()
    await expect(page.locator(".toast").first).to_contain_text("Blocked")
    assert await addresses.is_blocked(desk.redis, "digest")
    await page.locator("[data-undo]").click()
    await expect(page.locator(".toast").first).to_contain_text("Taken back")
    assert not await addresses.is_blocked(desk.redis, "digest")


async def test_resolving_is_taken_back_within_reach(desk: Desk, chromium: Chromium) -> None:
    add(desk, "webchat-u", state="assigned", owner="u-asha")
    page = await log_in(desk, chromium, "asha")
    await show(desk, page, "/inbox/mine/webchat-u")
    await page.keyboard.press("e")
    await page.select_option("#dialog-resolve select", "refunds")
    await page.locator("#dialog-resolve .primary").click()
    await expect(page.locator("[data-undo]")).to_be_visible()
    assert read(desk, "webchat-u").state == State.RESOLVED
    await page.keyboard.press("u")
    await expect(page.locator(".toast", has_text="Taken back")).to_have_count(1)
    assert read(desk, "webchat-u").state == State.ASSIGNED


async def test_own_lists_are_kept_counted_and_forgotten(desk: Desk, chromium: Chromium) -> None:
    add(desk, "webchat-h", state="waiting", language="hi", topic="orders")
    add(desk, "webchat-e", state="waiting", language="en")
    page = await log_in(desk, chromium, "asha")
    await page.keyboard.press("f")
    await page.select_option(".filters [name=language]", "hi")
    await page.select_option(".filters [name=sort]", "latest")
    await page.locator(".filter-buttons .primary").click()
    await expect(page.locator(".row")).to_have_count(1)
    await page.keyboard.press("v")
    await page.keyboard.type("<i>हिन्दी</i>")
    await page.keyboard.press("Enter")
    own = page.locator(".views.saved a")
    await expect(own).to_have_text("<i>हिन्दी</i> 1")
    await expect(own).to_have_attribute("aria-current", "page")
    await page.keyboard.press("g")
    await page.keyboard.press("w")
    await expect(page.locator(".row")).to_have_count(2)
    await own.click()
    await expect(page.locator(".row")).to_have_count(1)
    await page.locator("[data-forget]").click()
    await expect(own).to_have_count(0)


async def test_a_colleague_is_named_with_help_and_hears_of_it(
    desk: Desk, chromium: Chromium
) -> None:
    add(desk, "webchat-n", state="waiting")
    asha, ravi = await log_in(desk, chromium, "asha"), await log_in(desk, chromium, "ravi")
    await show(desk, asha, "/inbox/waiting/webchat-n")
    await asha.keyboard.press("n")
    await asha.keyboard.type("look at this, @ra")
    await expect(asha.locator("#canned-menu button")).to_have_count(1)
    await asha.keyboard.press("Enter")
    assert await asha.input_value("#text") == "look at this, @ravi "
    await asha.keyboard.press("Enter")
    await expect(asha.locator(".message.note mark")).to_have_text("@ravi")
    await expect(ravi.locator(".toast")).to_contain_text("Asha named you in a note")
    await expect(ravi.locator('[data-count="mentions"]')).to_have_text("1")
    await ravi.keyboard.press("g")
    await ravi.keyboard.press("n")
    await ravi.locator(".row-link").click()
    await expect(ravi.locator('[data-count="mentions"]')).to_have_attribute("data-zero", "")


async def test_a_note_stays_a_note_whatever_happens_meanwhile(
    desk: Desk, chromium: Chromium
) -> None:
    add(desk, "webchat-d", state="assigned", owner="u-asha")
    page = await log_in(desk, chromium, "asha")
    await show(desk, page, "/inbox/mine/webchat-d")
    await page.keyboard.press("n")
    await say(desk, "webchat-d", "are you there?")
    await expect(page.locator(".message.customer").last).to_contain_text("are you there?")
    await page.keyboard.type("seems impatient")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.note .text")).to_have_text("seems impatient")
    assert desk.database.call(lambda c: c.execute(sa.select(tables.notes.c.text)).scalars().all())


async def test_what_is_typed_while_a_reply_is_sent_stays(desk: Desk, chromium: Chromium) -> None:
    add(desk, "webchat-d", state="assigned", owner="u-asha")
    page = await log_in(desk, chromium, "asha")
    await show(desk, page, "/inbox/mine/webchat-d")
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        held.set()
        await go.wait()
        await route.continue_()

    await page.route("**/webchat-d/reply", hold)
    await page.locator("#text").focus()
    await page.keyboard.type("Hello")
    await page.keyboard.press("Enter")
    await held.wait()
    await page.keyboard.type(" your order is on its way")
    await page.keyboard.press("Enter")  # too early, and not lost
    go.set()
    await expect(page.locator(".message.agent.pending")).to_have_count(1)
    await expect(page.locator("#text")).to_have_value("your order is on its way")
    await page.reload()
    await expect(page.locator("#text")).to_have_value("your order is on its way")
    await page.locator("#text").press("Enter")
    await expect(page.locator(".message.agent.pending")).to_have_count(1)
    await record(desk, "webchat-d")
    replies = page.locator(".message.agent .text")
    await expect(replies).to_have_text(["Hello", "your order is on its way"])


async def test_drafts_and_their_key_survive_until_the_answer_is_there(
    desk: Desk, chromium: Chromium
) -> None:
    add(desk, "webchat-d", state="assigned", owner="u-asha")
    page = await log_in(desk, chromium, "asha")
    await show(desk, page, "/inbox/mine/webchat-d")
    await page.fill("#text", "on its way")
    await page.reload()
    assert await page.input_value("#text") == "on its way"
    await page.locator("#text").press("Enter")
    await record(desk, "webchat-d")
    await expect(page.locator(".message.agent .text")).to_have_text("on its way")
    await page.reload()
    assert await page.input_value("#text") == ""
