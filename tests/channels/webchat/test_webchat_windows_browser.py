"""A window that has to give way asks instead of connecting again and again."""

from __future__ import annotations

import pytest
from chromium_browser import CHROMIUM
from playwright.async_api import expect
from webchat_shop import Shop
from webchat_visit import Visit

from channels.webchat.server.crowd import WINDOWS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")


async def test_a_window_that_gives_way_goes_on_by_polling(
    visit: Visit, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.app[WINDOWS].of_conversation, "_most", 1)
    await visit.open()
    await visit.say("hello")
    await expect(visit.chat.locator(".message.bot .text").last).to_have_text("Answer: hello")
    asked: list[str] = []
    visit.page.on("websocket", lambda socket: asked.append(socket.url))
    visit.page.on("request", lambda request: asked.append(request.url))
    async with visit.page.context.expect_page() as opening:
        await visit.page.evaluate("window.open(location.href)")
    other = await opening.value
    chat = other.frame_locator("iframe")
    await expect(chat.locator(".message.bot .text").last).to_have_text("Answer: hello")
    await chat.locator("#text").fill("from the other")
    await chat.locator("#text").press("Enter")
    # The first window, without its socket, still shows what is said in the second.
    for frame in (visit.chat, chat):
        last = frame.locator(".message.bot .text").last
        await expect(last).to_have_text("Answer: from the other")
    assert any("/poll" in url for url in asked)
    assert not any("/socket" in url for url in asked)
    await visit.say("and from the first")
    for frame in (visit.chat, chat):
        last = frame.locator(".message.bot .text").last
        await expect(last).to_have_text("Answer: and from the first")
