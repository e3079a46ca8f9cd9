"""Consent before the conversation, and deleting it all, in a real Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chromium_browser import CHROMIUM
from playwright.async_api import Browser, expect
from webchat_shop import Shop, open_shop
from webchat_visit import Visit, answer, visiting

from bot.conversation import store
from bot.stores.redis_client import EmbeddedServer
from channels.webchat.server.settings import WebchatSettings

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")

STORED = "() => JSON.stringify([{...localStorage}, {...sessionStorage}])"


@pytest.fixture
async def strict(redis_dir: Path, redis_server: EmbeddedServer) -> AsyncIterator[Shop]:
    made = open_shop(
        redis_dir,
        redis_server,
        WebchatSettings(consent="click", privacy_url="https://shop.example/privacy"),
    )
    await made.redis.flushall()
    made.engine.script = answer
    yield made
    await made.redis.aclose()
    made.engine.database.close()
    (redis_dir / "samvad.sqlite3").unlink()


async def talk(visit: Visit, text: str = "hi") -> None:
    await visit.open()
    await visit.say(text)
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)


# Consent


async def test_nothing_leaves_or_stays_before_the_click(strict: Shop, browser: Browser) -> None:
    async with visiting(strict, browser) as visit:
        asked: list[str] = []
        visit.page.on("request", lambda r: asked.append(r.url) if "webhooks" in r.url else None)
        await visit.launcher.click()
        await expect(visit.chat.locator("#gate")).to_contain_text("Before we start")
        await expect(visit.chat.locator("#gate-title")).to_be_focused()
        await expect(visit.chat.locator("#form")).to_be_hidden()
        await expect(visit.chat.locator("#gate a")).to_have_attribute(
            "href", "https://shop.example/privacy"
        )
        await visit.chat.locator("#language").select_option("hi")
        await expect(visit.chat.locator("#gate")).to_contain_text("शुरू करने से पहले")
        await visit.page.keyboard.press("Escape")
        await visit.launcher.click()
        assert asked == []
        assert await visit.page.evaluate(STORED) == "[{},{}]"
        assert await visit.chat.locator("html").evaluate(STORED) == "[{},{}]"
        assert [key async for key in strict.redis.scan_iter()] == []
        await visit.chat.locator("#gate-yes").click()
        await expect(visit.chat.locator(".message.bot")).to_have_count(1)
        await expect(visit.chat.locator("#text")).to_be_focused()
        box = await visit.chat.locator("#text").bounding_box()
        assert box is not None
        assert box["height"] > 30
        await visit.say("hello")
        await expect(visit.chat.locator(".message.bot")).to_have_count(2)
        await visit.page.reload()
        await expect(visit.chat.locator(".message.customer .text")).to_have_text("hello")
        assert visit.errors == []


async def test_what_was_asked_on_the_page_waits_for_the_click(
    strict: Shop, browser: Browser
) -> None:
    async with visiting(strict, browser) as visit:
        await visit.page.get_by_role("button", name="Where is my order?").click()
        await expect(visit.chat.locator("#gate")).to_be_visible()
        assert strict.engine.taken == []
        await visit.chat.locator("#gate-yes").click()
        await expect(visit.chat.locator(".message.customer .text")).to_have_text(
            "Where is my order?"
        )
        await expect(visit.chat.locator(".message.bot").last).to_contain_text("Where is my order?")


async def test_who_does_not_agree_goes(strict: Shop, browser: Browser) -> None:
    async with visiting(strict, browser) as visit:
        await visit.launcher.click()
        await visit.chat.get_by_role("button", name="No, thanks").click()
        await expect(visit.page.locator("iframe")).to_be_hidden()
        await expect(visit.launcher).to_be_focused()
        assert [key async for key in strict.redis.scan_iter()] == []


async def test_a_page_cannot_do_without_consent(strict: Shop, browser: Browser) -> None:
    async with visiting(strict, browser, "/webchat/frame?site=demo&consent=off") as visit:
        await expect(visit.page.locator("#gate")).to_be_visible()


async def test_a_page_may_ask_for_consent(shop: Shop, browser: Browser) -> None:
    shop.engine.script = answer
    async with visiting(shop, browser, "/webchat/frame?site=demo&consent=click") as visit:
        await visit.page.locator("#gate-yes").click()
        await expect(visit.page.locator(".message.bot")).to_have_count(1)
        await expect(visit.page.locator("#privacy")).to_contain_text("passwords")
    events = await shop.engine.database.read(
        lambda c: c.exec_driver_sql("SELECT type FROM events").scalars().all()
    )
    assert events == ["consent.given"]


# Deleting


async def test_deleting_is_asked_done_and_said(visit: Visit) -> None:
    await talk(visit, "my secret")
    inbound = visit.shop.engine.taken[-1]
    await visit.shop.engine.database.run(lambda c: store.open_for(c, inbound, "en"))
    await visit.chat.locator("#more").click()
    await visit.chat.get_by_role("button", name="Delete my data").click()
    await expect(visit.chat.locator("#dialog-no")).to_be_focused()
    await visit.page.keyboard.press("Escape")
    await expect(visit.chat.locator("#dialog")).to_be_hidden()
    await expect(visit.chat.locator("#more")).to_be_focused()
    await expect(visit.page.locator("iframe")).to_be_visible()
    await visit.chat.locator("#more").click()
    await visit.chat.get_by_role("button", name="Delete my data").click()
    await visit.chat.locator("#dialog-yes").click()
    await expect(visit.chat.locator("#gate-title")).to_have_text("Your data is deleted")
    await expect(visit.chat.locator("#gate-title")).to_be_focused()
    await expect(visit.chat.locator(".message")).to_have_count(0)
    assert await visit.page.evaluate(STORED) == "[{},{}]"
    gone = inbound.conversation
    assert [key async for key in visit.shop.redis.scan_iter() if gone in key] == []
    taken = len(visit.shop.engine.taken)
    await visit.page.keyboard.press("Escape")
    await visit.launcher.click()
    await expect(visit.chat.locator("#gate-title")).to_be_visible()
    assert len(visit.shop.engine.taken) == taken
    await visit.chat.get_by_role("button", name="Start a new chat").click()
    await expect(visit.chat.locator(".message.bot")).to_have_count(1)
    assert visit.shop.engine.taken[-1].conversation != gone
    assert visit.errors == []


async def test_all_windows_of_the_visitor_are_cleared(visit: Visit) -> None:
    await talk(visit, "my secret")
    other = await visit.page.context.new_page()
    await other.goto(visit.page.url)
    await other.locator("button[aria-expanded]").click()
    chat = other.frame_locator("iframe")
    await expect(chat.locator(".message.customer")).to_have_count(1)
    await visit.chat.locator("#more").click()
    await visit.chat.locator("#forget").click()
    await visit.chat.locator("#dialog-yes").click()
    await expect(visit.chat.locator("#gate")).to_be_visible()
    await expect(chat.locator(".message.customer")).to_have_count(0)


async def test_what_could_not_be_deleted_is_not_called_deleted(visit: Visit) -> None:
    await talk(visit)
    await visit.page.route("**/erase", lambda route: route.fulfill(status=503, body="{}"))
    await visit.chat.locator("#more").click()
    await visit.chat.locator("#forget").click()
    await visit.chat.locator("#dialog-yes").click()
    await expect(visit.chat.locator("#dialog-problem")).to_contain_text("did not work")
    await expect(visit.chat.locator("#dialog-yes")).to_have_text("Delete")
    await visit.chat.locator("#dialog-no").click()
    await expect(visit.chat.locator(".message.customer")).to_have_count(1)
