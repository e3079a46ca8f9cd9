"""Every page at every width, in both schemes and directions: nothing runs over, nothing too small.

Set SAMVAD_SCREENSHOTS to a folder to keep pictures of what is measured.
"""

from __future__ import annotations

import os
from pathlib import Path

import desk_seed as seed
import pytest
from axe_playwright_python.async_playwright import Axe
from desk_pages import MINE, WAITING, busy, pages_of, show, signed_in
from desk_world import Desk
from playwright.async_api import Browser, Page, expect
from sqlalchemy.engine import Connection

from bot.content import versions
from bot.content.load import load_folder
from bot.conversation.changes import announce

WIDTHS = (360, 390, 768, 1280, 1920)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
DIALOGS = ("resolve", "transfer", "snooze", "return", "keys")
MEASURE = """() => {
  const found = [];
  const width = document.documentElement.clientWidth;
  const name = (e) => `${e.tagName}.${e.className} ${(e.textContent || "").trim().slice(0, 30)}`;
  if (document.documentElement.scrollWidth > width) found.push("the page scrolls sideways");
  for (const element of document.querySelectorAll("body *")) {
    const asked = { visibilityProperty: true, contentVisibilityAuto: true };
    if (!element.checkVisibility(asked)) continue;
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height || element.closest("svg, .unseen, .unread-word")) continue;
    // What is shortened by an ellipsis or scrolls by itself does not run over.
    let inside = element.parentElement;
    const open = () => getComputedStyle(inside).overflowX === "visible";
    while (inside && open()) inside = inside.parentElement;
    const over = box.right > width + 1 || box.left < -1;
    if (over && (!inside || inside === document.body)) found.push(`runs over: ${name(element)}`);
    if (element.matches(".views .count")) {
      const list = element.closest("a").getBoundingClientRect();
      if (box.right > list.right || box.left < list.left) found.push(`cut off: ${name(element)}`);
    }
    if (element.matches("button, summary, select, .places a, .views a, .back, [role=tab]")) {
      // WCAG 2.2, 2.5.8: 24 by 24 pixels.
      if (box.width < 23.5 || box.height < 23.5) found.push(`too small: ${name(element)}`);
      const cut = element.scrollWidth > element.clientWidth + 1;
      if (cut && element.matches("button")) found.push(`cut off: ${name(element)}`);
    }
  }
  const [text, send] = [document.querySelector("#text"), document.querySelector(".send")];
  if (text && send) {
    const [a, b] = [text.getBoundingClientRect(), send.getBoundingClientRect()];
    if (a.width < 140 || b.bottom > innerHeight + 1) found.push("the composer has no room");
  }
  return [...new Set(found)];
}"""


async def picture(page: Page, name: str) -> None:
    folder = os.environ.get("SAMVAD_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a test, one folder
        await page.screenshot(path=Path(folder) / f"{name}.png")


def fill(desk: Desk) -> None:
    desk.database.call(busy)
    content = load_folder(Path("data/faq"), desk.settings.languages)
    desk.database.call(lambda c: versions.write(c, content, based_on=1))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "hi", "ml", "th", "es", "ar"])
async def test_nothing_runs_over(desk: Desk, chromium: Browser, language: str, scheme: str) -> None:
    fill(desk)
    found = []
    for login in ("boss", "asha"):
        page = await signed_in(desk, chromium, login, language=language, scheme=scheme)
        paths = pages_of(desk) if login == "boss" else [f"/inbox/mine/{MINE}"]
        for path in paths:
            await show(desk, page, path)
            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": 800})
                found += [(path, width, one) for one in await page.evaluate(MEASURE)]
                name = f"{path.strip('/').replace('/', '-')}-{login}-{language}-{scheme}-{width}"
                await picture(page, name)
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ar"])
async def test_the_accessibility_rules_hold(
    desk: Desk, chromium: Browser, language: str, scheme: str
) -> None:
    fill(desk)
    boss = await signed_in(desk, chromium, "boss", language=language, scheme=scheme)
    asha = await signed_in(desk, chromium, "asha", language=language, scheme=scheme)
    broken = []
    for page, paths in ((boss, pages_of(desk)), (asha, [f"/inbox/mine/{MINE}"])):
        for path in paths:
            await show(desk, page, path)
            broken += [(path, *one) for one in await violations(page)]
    for name in DIALOGS:
        await asha.evaluate(f"document.getElementById('dialog-{name}').showModal()")
        broken += [(name, *one) for one in await violations(asha)]
        await picture(asha, f"dialog-{name}-{language}-{scheme}")
        await asha.evaluate(f"document.getElementById('dialog-{name}').close()")
    await asha.locator("#account summary").click()
    broken += [("account", *one) for one in await violations(asha)]
    await picture(asha, f"account-{language}-{scheme}")
    await asha.context.clear_cookies()
    await show(desk, asha, f"/login?language={language}")
    broken += [("login", *one) for one in await violations(asha)]
    await picture(asha, f"login-{language}-{scheme}")
    assert broken == []


async def violations(page: Page) -> list[tuple[str, str]]:
    found = await Axe().run(page, options=RULES)
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found.response["violations"]]


async def test_the_focus_is_always_seen(desk: Desk, chromium: Browser) -> None:
    fill(desk)
    page = await signed_in(desk, chromium)
    await show(desk, page, f"/inbox/mine/{MINE}")
    unseen, steps = [], 0
    await page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    while steps < 60:
        await page.keyboard.press("Tab")
        steps += 1
        seen = await page.evaluate(
            """() => {
              const element = document.activeElement;
              if (!element || element === document.body) return null;
              const style = getComputedStyle(element);
              const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
              return [ring, element.outerHTML.slice(0, 120)];
            }"""
        )
        if seen is None:
            break
        if not seen[0]:
            unseen.append(seen[1])
    assert steps > 20
    assert unseen == []


async def test_updates_move_nothing_that_is_read(desk: Desk, chromium: Browser) -> None:
    def rows(connection: Connection) -> None:
        for number in range(30):
            ident = f"webchat-{number:04d}"
            seed.conversation(connection, ident, state="waiting", waiting_since=1000.0 + number)
            seed.message(connection, ident, "hello")
        for number in range(40):
            seed.message(connection, "webchat-0003", f"line {number} " * 12)

    desk.database.call(rows)
    page = await signed_in(desk, chromium)
    await show(desk, page, "/inbox/waiting/webchat-0003")
    place = """() => [...document.querySelectorAll(".row")].slice(0, 12)
      .map((row) => [row.dataset.id, Math.round(row.getBoundingClientRect().top)])"""
    before = await page.evaluate(place)
    scroll = page.locator("#scroll")
    await scroll.evaluate("(box) => { box.scrollTop = 300; }")
    read = await scroll.evaluate("(box) => box.scrollTop")

    def changes(connection: Connection) -> None:
        seed.message(connection, "webchat-0005", "a much longer message " * 30)
        seed.message(connection, "webchat-0003", "a new line " * 30)
        seed.conversation(connection, "webchat-new", state="waiting", name="New")

    desk.database.call(changes)
    for ident in ("webchat-0005", "webchat-0003", "webchat-new"):
        await announce(desk.redis, ident, "message")
    await expect(page.locator('.row[data-id="webchat-0005"] .row-snippet')).to_contain_text(
        "longer"
    )
    await expect(page.locator("#to-end")).to_be_visible()
    assert await page.evaluate(place) == before
    assert await scroll.evaluate("(box) => box.scrollTop") == read
    await expect(page.locator('[data-count="waiting"]')).to_have_text("31")


async def test_who_wants_no_motion_gets_none(desk: Desk, chromium: Browser) -> None:
    fill(desk)
    page = await signed_in(desk, chromium, width=900)
    await page.emulate_media(reduced_motion="reduce")
    await show(desk, page, f"/inbox/waiting/{WAITING}")
    moving = await page.evaluate(
        """() => [...document.querySelectorAll("*")].filter((element) => {
          const style = getComputedStyle(element);
          return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0;
        }).map((element) => element.outerHTML.slice(0, 80))"""
    )
    assert moving == []
