"""Who is in front of the browser changes: nobody sees or sends what was another's. In Chromium."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from chromium_browser import CHROMIUM
from playwright.async_api import Browser, Route, expect
from webchat_shop import jwt, reply_to
from webchat_visit import Visit

from channels.webchat.server.guard import SECRET
from channels.webchat.server.session import identity_key

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")

SESSION = "**/webhooks/webchat/session"
IDENTIFY = "token => Samvad.identify(token)"


def login(visit: Visit, customer: str = "ann", lives_s: float = 600) -> str:
    """Sign who is logged in, as the shop's own server would."""
    key = identity_key(visit.shop.app[SECRET], "demo")
    return jwt({"sub": customer, "aud": "demo", "exp": time.time() + lives_s}, key=key)


async def log_in(visit: Visit, customer: str = "ann") -> None:
    """Open the chat as a customer whom the shop knows."""
    await visit.page.evaluate(IDENTIFY, login(visit, customer))
    await visit.launcher.click()
    await expect(visit.chat.locator(".message.bot")).to_have_count(1)


async def stored(visit: Visit) -> dict[str, Any]:
    """Read what the widget keeps in this browser."""
    raw = await visit.page.evaluate("localStorage.getItem('samvad:chat:demo')")
    kept: dict[str, Any] = json.loads(raw or "{}")
    return kept


class Held:
    """Keeps the first request of a page from its answer until `release`."""

    def __init__(self, visit: Visit, address: str) -> None:
        self.visit, self.address = visit, address
        self.asked, self.free = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Held:
        await self.visit.page.route(self.address, self._hold)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.free.set()
        await self.visit.page.unroute_all(behavior="wait")

    async def _hold(self, route: Route) -> None:
        if not self.asked.is_set():
            self.asked.set()
            await self.free.wait()
        await route.continue_()

    async def release(self) -> None:
        async with self.visit.page.expect_event("requestfinished"):
            self.free.set()


async def test_a_late_session_does_not_undo_a_log_out(visit: Visit) -> None:
    await visit.open()
    await visit.say("my secret")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    before = (await stored(visit))["visitor"]
    async with Held(visit, SESSION) as held:
        await visit.page.reload()
        await held.asked.wait()
        await visit.page.evaluate("Samvad.logout()")
        await expect(visit.chat.locator(".message.bot")).to_have_count(1)
        after = (await stored(visit))["visitor"]
        await held.release()
        await visit.page.reload()
        await expect(visit.chat.locator(".message.bot")).to_have_count(1)
    await expect(visit.chat.locator(".message.customer")).to_have_count(0)
    assert (await stored(visit))["visitor"] == after != before


async def test_a_late_session_does_not_lose_a_login(visit: Visit) -> None:
    async with Held(visit, SESSION) as held:
        await visit.launcher.click()
        await held.asked.wait()
        await visit.page.evaluate(IDENTIFY, login(visit))
        await expect(visit.chat.locator(".message.bot")).to_have_count(1)
        await held.release()
    await visit.page.reload()
    await expect(visit.chat.locator(".message.bot")).to_have_count(1)
    assert (await stored(visit))["visitor"].startswith("u-")


async def test_the_next_page_of_the_same_customer_keeps_what_was_not_sent(visit: Visit) -> None:
    await log_in(visit)
    visit.shop.engine.is_away = True
    await visit.say("one")
    await expect(visit.chat.locator(".message.customer .delivery")).to_have_text("Sending…")
    await visit.page.reload()
    await visit.page.evaluate(IDENTIFY, login(visit))
    await expect(visit.chat.locator(".message.customer .text")).to_have_text("one")
    visit.shop.engine.is_away = False
    await expect(visit.chat.locator(".message.bot").last).to_contain_text("Answer: one")
    # Again on the page itself: a single page application knows no loads.
    await visit.page.evaluate(IDENTIFY, login(visit))
    await visit.say("two")
    await expect(visit.chat.locator(".message.bot").last).to_contain_text("Answer: two")
    assert [i.text for i in visit.shop.engine.taken if i.text] == ["one", "two"]
    assert len({i.conversation for i in visit.shop.engine.taken}) == 1


async def test_an_identity_under_way_leaves_other_windows_logged_in(visit: Visit) -> None:
    await log_in(visit)
    await visit.say("hello")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    other = await visit.page.context.new_page()
    async with Held(visit, SESSION) as held:
        await visit.page.evaluate(IDENTIFY, login(visit))
        await held.asked.wait()
        await other.goto(visit.page.url)
        chat = other.frame_locator("iframe")
        await expect(chat.locator(".message.customer .text")).to_have_text("hello")
        assert (await stored(visit))["visitor"].startswith("u-")


async def test_another_customer_neither_sees_nor_sends_what_was_the_first_ones(
    visit: Visit,
) -> None:
    await log_in(visit)
    visit.shop.engine.is_away = True
    await visit.say("secret of Ann")
    await expect(visit.chat.locator(".message.customer .delivery")).to_have_text("Sending…")
    # What is written after the call is the new customer's, answered or not.
    identify_and_ask = "token => { Samvad.identify(token); Samvad.send('from Bob'); }"
    await visit.page.evaluate(identify_and_ask, login(visit, "bob"))
    visit.shop.engine.is_away = False  # not before: Ann's own window would have sent it again
    await expect(visit.chat.locator(".message.bot").last).to_contain_text("from Bob")
    await expect(visit.chat.locator(".message.customer .text")).to_have_text("from Bob")
    taken = visit.shop.engine.taken
    assert [i.text for i in taken if i.text] == ["from Bob"]
    assert taken[0].conversation != taken[-1].conversation


async def draft(visit: Visit) -> None:
    """Write and choose a file, without sending, and leave a dialog open."""
    await visit.chat.locator("#text").fill("my card is 4711")
    receipt = {"name": "receipt.txt", "mimeType": "text/plain", "buffer": b"4711"}
    await visit.chat.locator("#file").set_input_files(receipt)  # type: ignore[arg-type]
    await expect(visit.chat.locator(".upload")).to_have_count(1)
    await visit.chat.locator("#more").click()
    await visit.chat.locator("#forget").click()
    await expect(visit.chat.locator("#dialog")).to_be_visible()


@pytest.mark.parametrize("way", ["logout", "another customer"])
async def test_a_draft_is_not_left_for_the_next_customer(visit: Visit, way: str) -> None:
    await log_in(visit)
    await draft(visit)
    if way == "logout":
        await visit.page.evaluate("Samvad.logout()")
    else:
        await visit.page.evaluate(IDENTIFY, login(visit, "bob"))
    await expect(visit.chat.locator("#text")).to_have_value("")
    await expect(visit.chat.locator(".upload")).to_have_count(0)
    await expect(visit.chat.locator("#dialog")).to_be_hidden()
    await expect(visit.chat.locator("#send")).to_be_disabled()


async def test_a_draft_stays_when_the_same_customer_is_named_again(visit: Visit) -> None:
    await log_in(visit)
    await draft(visit)
    async with visit.page.expect_response(SESSION):
        await visit.page.evaluate(IDENTIFY, login(visit))
    await visit.chat.locator("#dialog-no").click()
    await expect(visit.chat.locator("#text")).to_have_value("my card is 4711")
    await expect(visit.chat.locator(".upload")).to_have_count(1)


async def test_a_window_that_loads_anew_knows_that_it_is_open(visit: Visit) -> None:
    """Another tab logs out: this one shows the new visitor's chat, and counts it as seen."""
    await visit.open()
    await visit.say("my secret")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    other = await visit.page.context.new_page()
    await other.goto(visit.page.url)
    await expect(other.frame_locator("iframe").locator(".message.bot")).to_have_count(2)
    await visit.page.bring_to_front()
    await other.evaluate("Samvad.logout()")
    # Only a window that is open asks for a greeting; the other tab never was.
    await expect(visit.chat.locator(".message.customer")).to_have_count(0)
    await expect(visit.chat.locator(".message.bot .text")).to_have_text("Hello! I am a bot.")
    inbound = visit.shop.engine.taken[-1]
    await visit.shop.engine.say(reply_to(inbound, "look", 7))
    await expect(visit.chat.locator(".message.bot .text").last).to_have_text("look")
    await expect(visit.launcher.locator("b")).to_be_hidden()


async def test_what_the_page_asks_while_the_window_loads_anew_is_not_lost(visit: Visit) -> None:
    await visit.open()
    async with Held(visit, "**/frame.js") as held:
        other = {"key": "samvad:chat:demo", "oldValue": "{}", "newValue": '{"visitor": "x"}'}
        await visit.chat.locator("html").evaluate(
            "(_, change) => dispatchEvent(new StorageEvent('storage', change))", other
        )
        await held.asked.wait()
        await visit.page.evaluate("Samvad.send('hello')")
    await expect(visit.chat.locator(".message.bot").last).to_contain_text("Answer: hello")


async def test_what_was_said_before_this_device_came_is_not_unread(
    visit: Visit, browser: Browser
) -> None:
    await log_in(visit)
    await visit.say("hello")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    phone = await (await browser.new_context()).new_page()
    await phone.goto(visit.page.url)
    await phone.evaluate(IDENTIFY, login(visit))
    await expect(phone.frame_locator("iframe").locator(".message")).to_have_count(3)
    badge = phone.locator("button[aria-expanded] b")
    await expect(badge).to_be_hidden()
    inbound = visit.shop.engine.taken[-1]
    await visit.shop.engine.say(reply_to(inbound, "news", 7))
    await expect(badge).to_have_text("1")
    await phone.reload()
    await phone.evaluate(IDENTIFY, login(visit))
    await expect(badge).to_have_text("1")
    await phone.context.close()
