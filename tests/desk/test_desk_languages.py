"""The desk in its languages: no word of its own, digits and plurals as browsers have them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import desk_seed as seed
import pytest
from desk_pages import MINE, WAITING, busy, pages_of, show, signed_in
from desk_world import Desk
from playwright.async_api import Browser, Page, expect
from sqlalchemy.engine import Connection

from bot.conversation.changes import announce
from bot.desk.texts import CATEGORIES, Catalogue, Entry, Texts
from bot.desk.web import RENDERER
from bot.language import codes

LANGUAGES = ("ar", "en", "es", "hi", "ml", "mr", "th")
CATALOGUE = Catalogue.load()
# What is shown as it was written by people, spelled by the browser, or printed on a key.
FOREIGN = (
    "script, style, svg, kbd, code, time, bdi, .text, .badge, .quick, .pre, [lang], .row-snippet"
)
OUTSIDE = """(foreign) => {
  const body = document.body.cloneNode(true);
  for (const own of body.querySelectorAll(".row-snippet .by")) own.parentElement.after(own);
  for (const node of body.querySelectorAll(foreign)) node.remove();
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const pieces = [];
  while (walker.nextNode()) pieces.push(walker.currentNode.data);
  const attributes = [];
  for (const element of document.querySelectorAll("body *")) {
    if (element.closest("time, [data-insert], bdi")) continue;
    for (const name of ["title", "aria-label", "placeholder", "alt", "data-title"]) {
      if (element.hasAttribute(name)) attributes.push(element.getAttribute(name));
    }
  }
  return [pieces.join("\\n"), attributes, document.title];
}"""


def marked(entry: Entry) -> Entry:
    if isinstance(entry, Mapping):
        return {category: f"⟦{text}⟧" for category, text in entry.items()}
    return f"⟦{entry}⟧"


def unmarked(text: str) -> str:
    """What stands outside all marks; marks nest, since texts are filled into texts."""
    rest, depth = [], 0
    for sign in text:
        depth += {"⟦": 1, "⟧": -1}.get(sign, 0)
        if depth == 0 and sign != "⟧":
            rest.append(sign)
    assert depth == 0
    return "".join(rest)


def speak_in_marks(desk: Desk) -> None:
    """Let the desk say every text between marks."""
    english = CATALOGUE.texts["en"]
    entries = {
        key: entry if key.startswith(("meta.", "script.")) else marked(entry)
        for key, entry in english.entries.items()
    }
    entries |= {key: marked(e) for key, e in english.entries.items() if key.startswith("script.")}
    own = Texts("en", entries, lambda n: "one" if n == 1 else "other", "latn", "0123456789")
    desk.server.app[RENDERER].catalogue = Catalogue({"en": own}, "en")


async def words_of_its_own(page: Page, business: str) -> list[str]:
    """Words on a page that come from no file."""
    text, attributes, title = await page.evaluate(OUTSIDE, FOREIGN)
    rest = [unmarked(piece) for piece in [text, title, *attributes]]
    known = {*(codes.name(one) for one in codes._data("languages.json")), business}
    found = []
    for piece in rest:
        for name in sorted(known, key=len, reverse=True):
            piece = piece.replace(name, "")
        found += [word for word in re.findall(r"\w+", piece) if re.search(r"[^\W\d]", word)]
    # Short codes of languages, and what is data: shortcuts, ids, labels, the name of a team.
    data = {"hi", "es", "en", "late", "delivery", "demo", "webchat", "thanks", "vip", "Everyone"}
    return [word for word in found if word not in data]


async def test_no_page_has_a_word_of_its_own(desk: Desk, chromium: Browser) -> None:
    desk.database.call(lambda c: busy(c, words="«{}»"))
    speak_in_marks(desk)
    boss = await signed_in(desk, chromium, "boss")
    for path in pages_of(desk):
        await show(desk, boss, path)
        assert await words_of_its_own(boss, desk.settings.business_name) == [], path
    await boss.context.clear_cookies()
    await show(desk, boss, "/login")
    assert await words_of_its_own(boss, desk.settings.business_name) == []


async def test_scripts_have_no_word_of_their_own(desk: Desk, chromium: Browser) -> None:
    desk.database.call(lambda c: busy(c, words="«{}»"))
    speak_in_marks(desk)
    asha, ravi = await signed_in(desk, chromium), await signed_in(desk, chromium, "ravi")
    await show(desk, asha, f"/inbox/waiting/{WAITING}")
    await show(desk, ravi, f"/inbox/waiting/{WAITING}")
    await expect(ravi.locator("#people")).to_have_text("⟦Asha is looking⟧")
    await asha.keyboard.press("c")
    await expect(asha.locator(".toast").first).to_contain_text("⟦")
    await expect(asha.locator('[data-mode="reply"]')).to_be_enabled()
    await asha.keyboard.press("r")
    await asha.fill("#text", "x" * 3600)
    await expect(asha.locator("#counter")).to_have_text("⟦3600 / 4000⟧")
    await expect(ravi.locator("#people")).to_have_text("⟦Asha is typing⟧")
    await asha.fill("#text", "")
    await asha.keyboard.press("Escape")
    await asha.keyboard.press("?")
    for page in (asha, ravi):
        assert await words_of_its_own(page, desk.settings.business_name) == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_plurals_and_digits_are_those_of_browsers(chromium: Browser, language: str) -> None:
    texts = CATALOGUE.texts[language]
    page = await chromium.new_page()
    digits, forms = await page.evaluate(
        """([language, numbers]) => {
          const tag = `${language}-u-nu-${numbers}`;
          const write = new Intl.NumberFormat(tag, { useGrouping: false });
          const plural = new Intl.PluralRules(language);
          return [write.format(1234567890), [...Array(240).keys()].map((n) => plural.select(n))];
        }""",
        [language, texts.numbers],
    )
    assert texts.number(1234567890) == digits
    each = Texts(
        language, {"form": {c: c for c in CATEGORIES}}, texts._plural, "latn", "0123456789"
    )
    assert [each.say("form", n=number) for number in range(240)] == forms


async def test_a_user_chooses_a_language_and_keeps_it(desk: Desk, chromium: Browser) -> None:
    page = await signed_in(desk, chromium)
    await show(desk, page, "/inbox/waiting")
    await page.locator("#account summary").click()
    await page.get_by_role("button", name="العربية").click()
    html = page.locator("html")
    await expect(html).to_have_attribute("dir", "rtl")
    await expect(page.locator("#empty")).to_have_text("لا أحد ينتظر.")
    assert page.url.endswith("/inbox/waiting")
    elsewhere = await signed_in(desk, chromium)
    await show(desk, elsewhere, "/canned")
    await expect(elsewhere.locator("html")).to_have_attribute("lang", "ar")
    # The browser remembers it for the login, where nobody is known yet.
    await page.locator("#account summary").click()
    await page.locator(".log-out").click()
    await expect(page.locator("html")).to_have_attribute("lang", "ar")
    await page.get_by_role("link", name="ไทย").click()
    await expect(page.locator("html")).to_have_attribute("lang", "th")


async def test_a_choice_leads_nowhere_else(desk: Desk) -> None:
    browser = await desk.browser()
    for referer, target in [
        ("https://evil.example/inbox/mine", "/"),
        ("{}canned?x=1", "/canned"),
        ("{}/evil.example/", "/evil.example/"),
        ("", "/"),
    ]:
        root = str(desk.server.make_url("/"))
        response = await browser.client.post(
            "/account/language",
            data={"language": "hi", "csrf": browser.csrf},
            headers={"Referer": referer.format(root)},
            allow_redirects=False,
        )
        assert (response.status, response.headers["Location"]) == (303, target)
    status, answer = await browser.act("/account/language", language="tlh")
    assert (status, answer["code"]) == (400, "unknown-language")
    assert answer["message"] == CATALOGUE.of("hi").say("error.unknown-language")


async def test_live_updates_come_in_each_readers_language(desk: Desk, chromium: Browser) -> None:
    asha = await signed_in(desk, chromium, "asha", language="hi")
    ravi = await signed_in(desk, chromium, "ravi", language="ar")
    for page in (asha, ravi):
        await show(desk, page, "/inbox/waiting")

    def rows(connection: Connection) -> None:
        seed.conversation(connection, "webchat-l", state="waiting", cause="asked", name="Zoe")
        seed.message(connection, "webchat-l", "hello")

    desk.database.call(rows)
    await announce(desk.redis, "webchat-l", "state")
    for page, language in ((asha, "hi"), (ravi, "ar")):
        texts = CATALOGUE.texts[language]
        await expect(page.locator(".row .cause")).to_have_text(texts.say("cause.asked"))
        await expect(page.locator('[data-count="waiting"]')).to_have_text(texts.number(1))
        await page.keyboard.press("j")
        await expect(page.locator('[data-action="claim"]').first).to_have_text(
            texts.say("head.claim")
        )
        await expect(page.locator(".message .author")).to_have_text(texts.say("author.customer"))
    await asha.keyboard.press("c")
    await expect(asha.locator("#head .state")).to_have_text(CATALOGUE.texts["hi"].say("head.yours"))
    await expect(ravi.locator("#head .state")).to_contain_text("لدى")


async def test_shortcuts_work_on_every_keyboard(desk: Desk, chromium: Browser) -> None:
    """On a Hindi or Arabic layout the key `c` types another letter."""
    desk.database.call(busy)
    page = await signed_in(desk, chromium)
    await show(desk, page, f"/inbox/waiting/{WAITING}")
    await page.evaluate(
        """() => document.body.dispatchEvent(new KeyboardEvent("keydown",
             { key: "म", code: "KeyC", bubbles: true }))"""
    )
    await page.wait_for_url(f"**/inbox/mine/{WAITING}")
    await page.evaluate(
        """() => {
          for (const [key, code] of [["ل", "KeyG"], ["ة", "KeyM"]])
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key, code, bubbles: true }));
        }"""
    )
    await expect(page.locator(f'.row[data-id="{MINE}"]')).to_be_visible()
