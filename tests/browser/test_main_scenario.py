"""The main job in a real browser, on a whole running system (issue 2).

A customer asks in Hindi, taps a quick reply, gets angry and is handed off; an agent sees why,
claims, answers and gives the conversation back; the bot answers again and says that it is one.
Set SAMVAD_SCREENSHOTS to a folder to keep pictures of both pages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium_browser import CHROMIUM
from playwright.async_api import Browser, FrameLocator, Page, expect
from running import REPO, System, running

from bot.content.load import load_folder
from bot.content.models import Content
from bot.content.texts import SystemTexts
from bot.settings import Settings

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
WAIT_MS = 60_000
STATUS = "मेरा ऑर्डर अभी तक कहाँ पहुँचा है?"
ANGRY = "बहुत ही घटिया और बकवास सेवा है! तुम लोग चोर हो, मुझे बहुत गुस्सा आ रहा है!!!"
REPLY = "नमस्ते, मैं आपकी मदद करती हूँ।"

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
    # It also waits for the system, which may have to refit its models.
    pytest.mark.timeout(420),
]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def published() -> Content:
    return load_folder(REPO / "data" / "faq", Settings().languages)


async def open_page(browser: Browser, url: str, errors: list[str]) -> Page:
    context = await browser.new_context(viewport=DESKTOP)
    context.set_default_timeout(WAIT_MS)
    page = await context.new_page()
    page.on("pageerror", lambda error: errors.append(f"{url}: {error}"))
    page.on("console", lambda m: errors.append(f"{url}: {m.text}") if m.type == "error" else None)
    await page.goto(url)
    return page


async def picture(page: Page, name: str) -> None:
    """Keep a picture at desktop and at phone width, if somebody wants them."""
    folder = os.environ.get("SAMVAD_SCREENSHOTS")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a test, one folder
    for width, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
        await page.set_viewport_size(viewport)
        await page.wait_for_timeout(250)  # transitions of the layout
        await page.screenshot(path=Path(folder) / f"{name}-{width}.png")


async def say(chat: FrameLocator, text: str) -> None:
    await chat.locator("#text").fill(text)
    await chat.locator("#text").press("Enter")


async def see(chat: FrameLocator, who: str, text: str) -> None:
    """Wait until the newest message of `who` reads `text`."""
    shown = chat.locator(f".message.{who} .text").last
    await expect(shown).to_have_text(text, timeout=WAIT_MS)


async def test_from_a_question_to_an_agent_and_back(
    system: System, published: Content, browser: Browser
) -> None:
    errors: list[str] = []
    texts = SystemTexts.load(path=REPO / "domain.yml")
    intro = texts.render("utter_bot_intro", "hi", business=Settings().business_name)
    entry = published.by_id["order-status"]

    # The customer asks in Hindi and gets the published Hindi answer.
    shop = await open_page(browser, f"{system.ingress}/?language=hi", errors)
    await shop.locator("button[aria-expanded]").click()
    chat = shop.frame_locator("iframe")
    await expect(chat.locator(".message.bot .text").first).to_have_text(intro, timeout=WAIT_MS)
    await picture(shop, "1-greeting")
    await say(chat, STATUS)
    await see(chat, "bot", entry.answers["hi"])
    await picture(shop, "2-answer")

    # A tapped quick reply leads to its entry's answer.
    following = published.by_id[entry.quick_replies[0].target]
    await chat.get_by_role("button", name=following.title["hi"], exact=True).click()
    await see(chat, "bot", following.answers["hi"])

    # Anger is handed off.
    await say(chat, ANGRY)
    person = chat.locator("#status")
    await expect(chat.locator(".message.bot .text, .notice").last).to_contain_text(
        re.compile("[\u0900-\u097f]"), timeout=WAIT_MS
    )
    before = await person.inner_text()
    await picture(shop, "3-handed-off")

    # The agent logs in, sees the reason with its numbers, and claims.
    desk = await open_page(browser, f"{system.desk}/", errors)
    await desk.get_by_label("Login").fill("agent")
    await desk.get_by_label("Password").fill(system.logins["agent"])
    await desk.get_by_role("button", name="Log in").click()
    await desk.locator(".row-link").first.click(timeout=WAIT_MS)
    await expect(desk.locator(".reason")).to_contain_text(re.compile(r"\d"), timeout=WAIT_MS)
    await expect(desk.locator("#thread")).to_contain_text(ANGRY)
    await expect(desk.locator("#thread")).to_contain_text(entry.answers["hi"][:40])
    await picture(desk, "4-desk-waiting")
    await desk.get_by_role("button", name="Claim").click()
    await expect(desk.get_by_role("button", name="Return to bot")).to_be_visible(timeout=WAIT_MS)

    # The customer sees that a person has come, and what they write.
    await expect(chat.locator(".notice").last).to_be_visible(timeout=WAIT_MS)
    await desk.locator("#text").fill(REPLY)
    await desk.locator("#text").press("Enter")
    await see(chat, "agent", REPLY)
    assert await person.inner_text() != before
    await say(chat, "धन्यवाद")
    await expect(desk.locator("#thread")).to_contain_text("धन्यवाद", timeout=WAIT_MS)
    await picture(desk, "5-desk-conversation")
    await picture(shop, "5-agent")

    # Given back, the bot answers again and says that it is one.
    await desk.get_by_role("button", name="Return to bot").click()
    await desk.locator("#dialog-return .primary").click()
    returned = texts.render("utter_agent_returned", "hi", agent="Agent", business="Mela")
    await expect(chat.locator(".notice").last).to_have_text(returned, timeout=WAIT_MS)
    await say(chat, STATUS)
    await see(chat, "bot", entry.answers["hi"])
    shown = await chat.locator(".message.bot .text").all_inner_texts()
    assert shown.count(intro) == 2, "at the start, and again after the return"
    await picture(shop, "6-bot-again")
    await picture(desk, "6-desk-after")
    assert errors == []
