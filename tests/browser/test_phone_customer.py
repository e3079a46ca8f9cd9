"""A customer on a phone, on a whole running system, in Hindi with Latin letters.

From consent to erasure. Set SAMVAD_SCREENSHOTS to a folder to keep pictures.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium_browser import CHROMIUM
from playwright.async_api import Browser, Page, expect
from running import DeskAgent, System, running, until

WAIT_MS = 30_000
SECRET = "Quittenmarder"
DEVANAGARI = re.compile("[\u0900-\u097f]")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
    # It also waits for the system, which may have to refit its models.
    pytest.mark.timeout(420),
]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("phone"), WEBCHAT_CONSENT="click") as started:
        yield started


async def picture(page: Page, name: str) -> None:
    folder = os.environ.get("SAMVAD_SCREENSHOTS")
    if folder:
        await page.wait_for_timeout(400)  # transitions of the layout
        await page.screenshot(path=Path(folder) / f"phone-{name}.png")


async def test_from_consent_to_erasure(system: System, browser: Browser) -> None:
    expect.set_options(timeout=WAIT_MS)
    context = await browser.new_context(
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
        locale="hi-IN",
    )
    context.set_default_timeout(WAIT_MS)
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    await page.goto(f"{system.ingress}/")
    await page.locator("button[aria-expanded]").tap()
    chat = page.frame_locator("iframe")

    await expect(chat.locator("#gate")).to_contain_text(DEVANAGARI)
    assert system.sql("select count(*) from conversations") == [(0,)]
    await picture(page, "1-consent")
    await chat.locator("#gate-yes").tap()
    await expect(chat.locator(".message.bot")).not_to_have_count(0)
    assert system.sql("select consent_version from customers") == [("1",)]
    await picture(page, "2-greeting")

    async def say(text: str) -> None:
        shown = await chat.locator(".message.bot, .notice").count()
        await chat.locator("#text").fill(text)
        await chat.locator("#send").tap()
        await expect(chat.locator(".message.bot, .notice").nth(shown)).to_be_visible()

    await say("mera order kahan hai bhai")
    await expect(chat.locator(".message.bot .text").last).to_contain_text(DEVANAGARI)
    await expect(chat.locator("html")).to_have_attribute("lang", "hi")
    await picture(page, "3-answer")

    # A picture of what is broken, and a person to see it.
    await chat.locator("#file").set_input_files(
        [{"name": f"{SECRET}.txt", "mimeType": "text/plain", "buffer": SECRET.encode()}]
    )
    await expect(chat.locator('.upload[data-state="sent"]')).to_have_count(1)
    await chat.locator("#send").tap()
    await expect(chat.locator(".message.customer .file-name")).to_have_text(f"{SECRET}.txt")
    await chat.locator("#person").tap()
    await expect(chat.locator("#queue")).to_contain_text("1")
    await picture(page, "4-waiting")

    (conversation,) = system.sql("select id from conversations")[0]
    agent = DeskAgent(system)
    assert agent.act(conversation, "claim").status == 200
    assert agent.act(conversation, "reply", text=f"नमस्ते! {SECRET}").status == 200
    await expect(chat.locator(".message.agent .text")).to_contain_text(SECRET)
    await expect(chat.locator("#tools")).to_be_hidden()

    def read() -> bool:
        found = system.sql("select delivery from messages where author = 'agent'")
        return found == [("read",)]

    until(read, within_s=20, what="the agent learns that it was read")
    await picture(page, "5-agent")
    done = agent.act(conversation, "resolve", topic="orders", outcome="solved")
    assert done.status == 200
    await expect(chat.locator("#rating")).to_be_visible()
    await chat.locator(".star").nth(4).tap()
    await chat.locator("#comment").fill(f"bahut accha {SECRET}")
    await picture(page, "6-rating")
    await chat.locator("#rate").tap()
    await expect(chat.locator("#rating")).to_be_hidden()
    assert system.recorded(conversation, "survey.answered")[0]["score"] == 5
    assert f"bahut accha {SECRET}" in agent.page(f"/inbox/done/{conversation}")

    until(system.drained, within_s=20, what="nothing under way")
    assert _files_with(system.state_dir, SECRET)
    await chat.locator("#more").tap()
    await picture(page, "7-menu")
    await chat.locator("#forget").tap()
    await picture(page, "8-question")
    await chat.locator("#dialog-yes").tap()
    await expect(chat.locator("#gate-title")).to_be_visible()
    await picture(page, "9-deleted")
    assert _files_with(system.state_dir, SECRET) == set()
    assert SECRET not in str(await chat.locator("html").evaluate("() => ({...localStorage})"))
    await chat.locator("#gate-yes").tap()
    await expect(chat.locator("#gate")).to_contain_text(DEVANAGARI)
    assert errors == []
    await context.close()


def _files_with(folder: Path, word: str) -> set[str]:
    found = set()
    for path in folder.rglob("*"):
        if path.is_file() and word.encode() in path.read_bytes():
            found.add(str(path.relative_to(folder)))
    return found
