"""Files in the thread and the composer, in a real browser."""

from __future__ import annotations

import base64
import zlib
from typing import Any

from desk_pages import show, signed_in
from desk_world import Desk
from playwright.async_api import Browser, Page, expect
from test_desk_files import CONVERSATION, PDF, came, prepare, recorded, sent

PATH = f"/inbox/mine/{CONVERSATION}"


def picture(width: int = 64, height: int = 48) -> bytes:
    """A PNG that a browser can show."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    rows = b"".join(b"\0" + bytes((180, 120, 60)) * width for _ in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def chosen(name: str, content: bytes, type_: str) -> dict[str, Any]:
    return {"name": name, "mimeType": type_, "buffer": content}


async def opened(desk: Desk, chromium: Browser, **more: Any) -> Page:
    page = await signed_in(desk, chromium, **more)
    await show(desk, page, PATH)
    return page


async def test_pictures_are_shown_and_other_files_saved(desk: Desk, chromium: Browser) -> None:
    prepare(desk)
    await came(desk, picture())
    page = await opened(desk, chromium)
    image = page.locator("#thread .file img")
    await expect(image).to_be_visible()
    assert await image.evaluate("image => image.complete && image.naturalWidth") == 64


async def test_files_are_chosen_removed_kept_over_a_reload_and_sent(
    desk: Desk, chromium: Browser
) -> None:
    prepare(desk)
    page = await opened(desk, chromium)
    files = [chosen("रसीद.pdf", PDF, "application/pdf"), chosen("cat.png", picture(), "image/png")]
    await page.set_input_files("#file", files)
    chips = page.locator("#attached [data-file]")
    await expect(chips).to_have_count(2)
    await page.get_by_role("button", name="Remove cat.png").click()
    await expect(chips).to_have_count(1)
    await page.reload()
    await expect(page.locator("#lamp")).to_have_class("lamp on")
    await expect(chips).to_have_text(["रसीद.pdf×"])
    await page.locator("#text").press("Enter")
    await expect(chips).to_have_count(0)
    (message,) = await sent(desk)
    assert (message.text, [a.name for a in message.attachments]) == ("", ["रसीद.pdf"])
    await recorded(desk)
    await page.reload()
    await expect(page.locator("#thread .message.agent .file a")).to_have_text("रसीद.pdf")


async def test_what_is_refused_is_said_and_the_words_stay(desk: Desk, chromium: Browser) -> None:
    prepare(desk)
    page = await opened(desk, chromium)
    await page.fill("#text", "Look at this")
    await page.set_input_files("#file", chosen("setup.exe", b"MZ\x90\0" + bytes(90), ""))
    await expect(page.locator(".toast.bad")).to_have_text("Files of this kind cannot be sent.")
    await expect(page.locator("#attached")).to_be_hidden()
    await expect(page.locator("#text")).to_have_value("Look at this")


async def test_a_picture_is_pasted_and_a_file_dropped(desk: Desk, chromium: Browser) -> None:
    prepare(desk)
    page = await opened(desk, chromium)
    fill = """([kind, content]) => {
      const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], `${kind}.png`, { type: "image/png" }));
      const target = document.getElementById(kind === "paste" ? "text" : "composer");
      const event = kind === "paste"
        ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
        : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
      target.dispatchEvent(event);
    }"""
    for kind in ("paste", "drop"):
        await page.evaluate(fill, [kind, base64.b64encode(picture()).decode()])
    await expect(page.locator("#attached [data-file]")).to_have_text(["paste.png×", "drop.png×"])
    await page.locator('[data-mode="note"]').click()
    await expect(page.locator("#attached")).to_be_hidden()
    await expect(page.locator("#attach")).to_be_hidden()
