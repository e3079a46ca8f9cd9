"""A customer in front of the demo shop, in a real headless Chromium."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, FrameLocator, Page, expect
from webchat_shop import Shop, reply_to

from bot.streams.messages import Inbound, Outbound, QuickReply

HINDI = "मेरा ऑर्डर कहाँ है?"


@dataclass
class Visit:
    """One customer in front of the shop."""

    shop: Shop
    page: Page
    chat: FrameLocator
    errors: list[str]

    async def open(self) -> None:
        """Open the chat and wait for the greeting, which comes before anything is said."""
        await self.launcher.click()
        await expect(self.chat.locator(".message.bot .text")).to_have_text("Hello! I am a bot.")

    async def say(self, text: str) -> None:
        field = self.chat.locator("#text")
        await field.fill(text)
        await field.press("Enter")

    async def texts(self) -> list[str]:
        return await self.chat.locator(".message .text").all_inner_texts()

    @property
    def launcher(self) -> Any:
        return self.page.locator("button[aria-expanded]")


def answer(inbound: Inbound) -> list[Outbound]:
    """Greet, answer in Hindi, or hand over, as an engine would."""
    if inbound.kind == "start":
        return [reply_to(inbound, "Hello! I am a bot.", state="bot")]
    if "person" in inbound.text:
        return [
            reply_to(inbound, "A person will be here soon.", author="automatic", state="waiting")
        ]
    replies = (QuickReply("q-yes", "हाँ"), QuickReply("q-no", "नहीं"))
    if inbound.tap:
        return [reply_to(inbound, f"tapped {inbound.tap}", language="hi", state="bot")]
    if "ไทย" in inbound.text:
        return [reply_to(inbound, "สวัสดี", language="th", state="bot")]
    if not any("\u0900" <= mark <= "\u097f" for mark in inbound.text):
        return [reply_to(inbound, f"Answer: {inbound.text}", quick_replies=replies)]
    return [reply_to(inbound, f"उत्तर: {inbound.text}", language="hi", quick_replies=replies)]


@contextlib.asynccontextmanager
async def visiting(
    shop: Shop, browser: Browser, path: str = "/?language=en", **context: Any
) -> AsyncIterator[Visit]:
    """Serve the shop and look at one of its pages.

    Args:
        context: What `browser.new_context` takes beside the usual.
    """
    async with TestServer(shop.app) as server:
        chosen = {"locale": "en-US", "viewport": {"width": 1280, "height": 800}, **context}
        opened = await browser.new_context(base_url=str(server.make_url("/")), **chosen)
        opened.set_default_timeout(15_000)
        page = await opened.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        await page.goto(path)
        yield Visit(shop, page, page.frame_locator("iframe"), errors)
        await opened.close()
