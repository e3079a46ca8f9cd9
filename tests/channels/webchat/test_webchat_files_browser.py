"""Files to us and from us, in a real Chromium: picked, dropped, pasted, refused, saved."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chromium_browser import CHROMIUM
from playwright.async_api import Browser, expect
from webchat_shop import Shop, open_shop, reply_to
from webchat_visit import Visit, answer, visiting

from bot.files.upload import store_upload
from bot.stores.redis_client import EmbeddedServer
from channels.webchat.server.uploads import FILES

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")

WEBP = base64.b64decode("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
TEXT = {"name": "list.txt", "mimeType": "text/plain", "buffer": b"one teapot\n"}
PICTURE = {"name": "broken cup.webp", "mimeType": "image/webp", "buffer": WEBP}
GIVE = """([bytes, name, type, kind]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, { type }));
  const init = { bubbles: true, cancelable: true };
  const clip = { ...init, clipboardData: data };
  if (kind === "paste") dispatchEvent(new ClipboardEvent("paste", clip));
  else for (const name of ["dragenter", "dragover", kind])
    dispatchEvent(new DragEvent(name, { ...init, dataTransfer: data }));
}"""


@pytest.fixture
async def small(redis_dir: Path, redis_server: EmbeddedServer) -> AsyncIterator[Shop]:
    """A shop that takes small files only."""
    made = open_shop(redis_dir, redis_server, max_file_bytes=2000)
    await made.redis.flushall()
    made.engine.script = answer
    yield made
    await made.redis.aclose()
    made.engine.database.close()
    (redis_dir / "samvad.sqlite3").unlink()


async def saved(download: Any) -> tuple[str, bytes]:
    """Name and content of what the customer now has."""
    done = await download.value
    path = await done.path()
    return done.suggested_filename, await asyncio.to_thread(path.read_bytes)


async def test_a_picked_file_goes_with_the_message(visit: Visit) -> None:
    await visit.open()
    await visit.chat.locator("#file").set_input_files([PICTURE, TEXT])
    await expect(visit.chat.locator('.upload[data-state="sent"]')).to_have_count(2)
    await expect(visit.chat.locator(".upload img")).to_have_count(1)
    await visit.say("it is broken")
    await expect(visit.chat.locator("#files")).to_be_hidden()
    await expect(visit.chat.locator(".message.customer .file")).to_have_count(2)
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    inbound = visit.shop.engine.taken[-1]
    assert inbound.text == "it is broken"
    assert [(a.kind, a.name) for a in inbound.attachments] == [
        ("image", "broken cup.webp"),
        ("file", "list.txt"),
    ]
    picture = visit.chat.locator(".message.customer .file img")
    await expect(picture).to_have_js_property("naturalWidth", 1)
    async with visit.page.expect_download() as download:
        await visit.chat.get_by_role("button", name="Save list.txt (1 kB)").click()
    assert await saved(download) == ("list.txt", TEXT["buffer"])
    assert visit.errors == []
    await visit.shop.engine.record(inbound)
    await visit.page.reload()
    await expect(visit.chat.locator(".message.customer .file-name").first).to_have_text(
        "broken cup.webp"
    )


@pytest.mark.parametrize("kind", ["drop", "paste"])
async def test_a_file_is_dropped_or_pasted(visit: Visit, kind: str) -> None:
    await visit.open()
    body = visit.chat.locator("body")
    told = [base64.b64encode(PDF).decode(), "bill.pdf", "application/pdf", kind]
    await body.evaluate(f"(_, told) => ({GIVE})(told)", told)
    await expect(visit.chat.locator('.upload[data-state="sent"]')).to_have_count(1)
    await expect(visit.chat.locator("#drop")).to_be_hidden()
    await visit.chat.locator("#send").click()
    await expect(visit.chat.locator(".message.customer .file-name")).to_have_text("bill.pdf")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    assert visit.shop.engine.taken[-1].text == ""


async def test_what_cannot_be_sent_is_said_in_words(small: Shop, browser: Browser) -> None:
    async with visiting(small, browser) as visit:
        await visit.open()
        await visit.chat.locator("#file").set_input_files(
            [
                {"name": "big.txt", "mimeType": "text/plain", "buffer": b"x" * 2001},
                {
                    "name": "a.exe",
                    "mimeType": "application/x-msdownload",
                    "buffer": b"MZ" + bytes(99),
                },
                {"name": "page.png", "mimeType": "image/png", "buffer": b"<html><script>"},
                {"name": "none.txt", "mimeType": "text/plain", "buffer": b""},
            ]
        )
        details = visit.chat.locator(".upload .detail")
        await expect(details).to_have_text(
            [
                "Larger than 2 kB",
                "This kind of file cannot be sent",
                "This kind of file cannot be sent",
                "This file is empty",
            ]
        )
        await expect(visit.chat.locator("#send")).to_be_disabled()
        for _ in range(4):
            away = visit.chat.locator(".upload .away").first
            await away.focus()
            await visit.page.keyboard.press("Enter")
        await expect(visit.chat.locator("#files")).to_be_hidden()
        await expect(visit.chat.locator("#text")).to_be_focused()


async def test_an_upload_without_a_connection_can_be_repeated(visit: Visit) -> None:
    await visit.open()
    await visit.page.route("**/upload", lambda route: route.abort())
    await visit.chat.locator("#file").set_input_files([TEXT])
    await expect(visit.chat.locator(".upload .detail")).to_have_text(
        "Not uploaded. Please try again."
    )
    await visit.page.unroute("**/upload")
    await visit.chat.get_by_role("button", name="Try again").click()
    await expect(visit.chat.locator('.upload[data-state="sent"]')).to_have_count(1)


async def test_an_agents_file_is_shown_and_can_be_saved(visit: Visit) -> None:
    await visit.open()
    await visit.say("hi")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    inbound = visit.shop.engine.taken[-1]

    async def chunks() -> AsyncIterator[bytes]:
        yield PDF

    hostile = "<b>\u202efdp.exe</b>.pdf"
    sent = await store_upload(
        visit.shop.settings,
        visit.shop.engine.database,
        visit.shop.app[FILES],
        chunks(),
        name=hostile,
        claimed="application/pdf",
        conversation=inbound.conversation,
        author="agent",
    )
    said = reply_to(inbound, "your bill", 7, author="agent", agent="Asha", attachments=(sent,))
    await visit.shop.engine.say(said)
    lost = replace(sent, id="f0", state="failed", reason="unreachable")
    await visit.shop.engine.say(reply_to(inbound, "", 8, author="agent", attachments=(lost,)))
    name = visit.chat.locator(".message.agent .file-name").first
    assert "\u202e" not in await name.inner_text()
    assert await visit.chat.locator(".file b").count() == 0
    async with visit.page.expect_download() as download:
        await visit.chat.locator("button.file").focus()
        await visit.page.keyboard.press("Enter")
    assert (await saved(download))[1] == PDF
    await expect(visit.chat.locator("span.file .detail")).to_have_text(
        "This file could not be received"
    )
    assert visit.errors == []
