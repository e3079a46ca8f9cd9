"""The widget while servers die and come back, in a real Chromium: nothing lost, nothing twice."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from chromium_browser import CHROMIUM
from playwright.async_api import Browser, FrameLocator, Page, expect
from webchat_shop import Shop, open_shop, reply_to
from webchat_visit import answer

from bot.stores.redis_client import EmbeddedServer
from bot.streams.messages import Inbound
from channels.webchat.server.settings import WebchatSettings

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")


@dataclass
class House:
    """A shop whose server can be killed and started again, at the same address."""

    folder: Path
    redis: EmbeddedServer
    taken: list[Inbound] = field(default_factory=list)
    shop: Shop | None = None
    server: TestServer | None = None
    port: int = 0

    async def start(self, widget: WebchatSettings | None = None) -> Shop:
        self.shop = open_shop(self.folder, self.redis, widget)
        self.shop.engine.script = answer
        # A new process knows what was taken: the inbox keeps that, not the process.
        self.shop.engine.taken = self.taken
        self.server = TestServer(self.shop.app, port=self.port)
        await self.server.start_server()
        self.port = self.server.port or 0
        return self.shop

    async def stop(self) -> None:
        assert self.shop is not None
        assert self.server is not None
        await self.server.close()
        await self.shop.redis.aclose()
        self.shop.engine.database.close()


@pytest.fixture
async def house(redis_dir: Path, redis_server: EmbeddedServer) -> AsyncIterator[House]:
    made = House(redis_dir, redis_server)
    shop = await made.start()
    await shop.redis.flushall()
    yield made
    await made.stop()
    (redis_dir / "samvad.sqlite3").unlink()


@pytest.fixture
async def page(house: House, browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(base_url=f"http://127.0.0.1:{house.port}", locale="en-US")
    context.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    page = await context.new_page()
    yield page
    expect.set_options(timeout=5_000)
    await context.close()


async def open_chat(page: Page) -> FrameLocator:
    await page.goto("/?language=en")
    await page.locator("button[aria-expanded]").click()
    chat = page.frame_locator("iframe")
    await expect(chat.locator(".message.bot")).to_have_count(1)
    return chat


async def say(chat: FrameLocator, *texts: str) -> None:
    for text in texts:
        await chat.locator("#text").fill(text)
        await chat.locator("#text").press("Enter")


@pytest.mark.parametrize("way", ["websocket", "long poll"])
async def test_a_killed_server_costs_no_message(house: House, page: Page, way: str) -> None:
    if way == "long poll":
        await page.add_init_script("delete window.WebSocket")
    chat = await open_chat(page)
    await say(chat, "zero")
    await expect(chat.locator(".message.bot")).to_have_count(2)
    inbound = house.taken[-1]
    shown = await chat.locator(".message .text").all_inner_texts()
    await house.stop()
    await say(chat, "one", "two")
    await expect(chat.locator(".message.customer .delivery").last).to_have_text("Sending…")
    shop = await house.start()
    # While the browser is away, an agent writes: it comes by its place in the sequence.
    await shop.engine.say(reply_to(inbound, "meanwhile", 7, author="agent", agent="Asha"))
    await expect(chat.locator(".message.agent .text")).to_have_text("meanwhile")
    await expect(chat.locator(".message.bot")).to_have_count(4)
    assert [i.text for i in house.taken if i.text] == ["zero", "one", "two"]
    now = await chat.locator(".message .text").all_inner_texts()
    assert now[: len(shown)] == shown
    assert sorted(now) == sorted([*shown, "one", "two", "meanwhile", "Answer: one", "Answer: two"])


async def test_what_was_not_sent_survives_a_reload(house: House, page: Page) -> None:
    chat = await open_chat(page)
    assert house.shop is not None
    house.shop.engine.is_away = True
    await say(chat, "one", "two")
    await page.reload()
    await expect(chat.locator(".message.customer .text")).to_have_text(["one", "two"])
    await expect(chat.locator(".message.customer .delivery").last).to_have_text("Sending…")
    house.shop.engine.is_away = False
    await expect(chat.locator(".message.bot")).to_have_count(3)
    assert [i.text for i in house.taken if i.text] == ["one", "two"]
    assert len({i.id for i in house.taken}) == len(house.taken)


async def test_an_acknowledgement_that_was_lost_doubles_nothing(house: House, page: Page) -> None:
    """The server took the message and died before it could say so."""
    chat = await open_chat(page)
    assert house.shop is not None
    engine = house.shop.engine
    take = engine.accept

    async def take_and_die(inbound: Inbound) -> bool:
        fresh = await take(inbound)
        engine.is_away = True
        raise ConnectionResetError(fresh)

    house.shop.engine.accept = take_and_die  # type: ignore[method-assign]
    await say(chat, "one")
    await expect(chat.locator(".message.bot").last).to_contain_text("Answer: one")
    await house.stop()
    await house.start()
    await say(chat, "two")
    await expect(chat.locator(".message.bot").last).to_contain_text("Answer: two")
    assert [i.text for i in house.taken if i.text] == ["one", "two"]
    await expect(chat.locator(".message.customer .text")).to_have_text(["one", "two"])


async def test_a_new_wording_is_asked_for_in_open_windows(house: House, page: Page) -> None:
    chat = await open_chat(page)
    await house.stop()
    await house.start(WebchatSettings(consent="click", consent_version="2"))
    await say(chat, "one")
    await expect(chat.locator("#gate")).to_be_visible()
    assert [i.text for i in house.taken if i.text] == []
    await chat.locator("#gate-yes").click()
    await expect(chat.locator(".message.bot").last).to_contain_text("Answer: one")
    assert [i.text for i in house.taken if i.text] == ["one"]
    # A wording that was agreed to is no hindrance when none is asked for any more.
    await house.stop()
    await house.start(WebchatSettings(consent="line", consent_version="3"))
    await page.reload()
    await say(chat, "two")
    await expect(chat.locator(".message.bot").last).to_contain_text("Answer: two")


BLOCKED = """
const Real = WebSocket;
window.WebSocket = function (url) {
  if (!top.isBlocked) return new Real(url);
  this.close = () => {};
  setTimeout(() => this.onclose({ code: 1006 }));
};
top.isBlocked = true;
"""


@pytest.mark.parametrize("way", ["the server was away", "five minutes have passed"])
async def test_a_long_poll_ends_when_sockets_open_again(house: House, page: Page, way: str) -> None:
    await page.clock.install()
    await page.add_init_script(BLOCKED)
    chat = await open_chat(page)
    await say(chat, "one")
    await expect(chat.locator(".message.bot").last).to_contain_text("Answer: one")
    async with page.expect_websocket():
        await page.evaluate("isBlocked = false")
        if way == "the server was away":
            await house.stop()
            await house.start()
        else:
            await page.clock.fast_forward("05:01")
            await say(chat, "two")
    await say(chat, "three")
    await expect(chat.locator(".message.bot").last).to_contain_text("Answer: three")


DEAF = """
const Real = WebSocket;
window.WebSocket = function (url) {
  const socket = (top.latest = new Real(url));
  socket.addEventListener("message", (event) => socket.isDeaf && event.stopImmediatePropagation());
  return socket;
};
"""


@pytest.mark.parametrize("way", ["by itself", "when looked at"])
async def test_a_connection_that_died_unnoticed_is_made_anew(
    house: House, page: Page, way: str
) -> None:
    await page.clock.install()
    await page.add_init_script(DEAF)
    chat = await open_chat(page)
    await page.evaluate("latest.isDeaf = true")
    assert house.shop is not None
    said = reply_to(house.taken[-1], "meanwhile", 7, author="agent", agent="Asha")
    await house.shop.engine.say(said)
    if way == "by itself":
        await page.clock.fast_forward("00:50")
    else:
        # As after sleep: the time has passed, the timers have not.
        await page.clock.set_system_time(time.time() + 60)
        await chat.locator("html").evaluate(
            "() => document.dispatchEvent(new Event('visibilitychange'))"
        )
    await expect(chat.locator(".message.agent .text")).to_have_text("meanwhile", timeout=8_000)
