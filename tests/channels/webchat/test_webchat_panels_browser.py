"""Menu, rating, queue, faces and cards in a real Chromium; and what axe says of all of it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from axe_playwright_python.async_playwright import Axe
from chromium_browser import CHROMIUM
from playwright.async_api import Browser, expect
from sqlalchemy.engine import Connection
from webchat_shop import Shop, open_shop, reply_to
from webchat_visit import Visit, answer, visiting

from bot.conversation import store
from bot.conversation.states import State
from bot.routing import presence
from bot.stores import redis_keys
from bot.stores.redis_client import EmbeddedServer
from bot.stores.tables import queue_times
from bot.streams.messages import Inbound, Outbound
from channels.webchat.server.settings import WebchatSettings

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")


async def talk(visit: Visit, text: str = "hi") -> None:
    await visit.open()
    await visit.say(text)
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)


async def conversation_of(visit: Visit, state: State, owner: str | None = None) -> None:
    """Bring the conversation into a state, as engine and desk would."""
    inbound = visit.shop.engine.taken[-1]

    def change(connection: Connection) -> None:
        found = store.open_for(connection, inbound, "en")
        if state == State.RESOLVED:
            found = store.change(connection, found, State.ASSIGNED, key="claim", owner=owner)
        store.change(connection, found, state, key=state.value)

    await visit.shop.engine.database.run(change)


# Rating


async def test_a_resolved_conversation_can_be_rated_by_keyboard(visit: Visit) -> None:
    await talk(visit)
    await conversation_of(visit, State.RESOLVED, "agent-1")
    inbound = visit.shop.engine.taken[-1]
    await visit.shop.engine.say(
        reply_to(inbound, "Thanks for talking with us.", 7, author="automatic", state="resolved")
    )
    rating = visit.chat.locator("#rating")
    await expect(rating).to_contain_text("How did we do?")
    await visit.chat.locator("#stars input").first.focus()
    for _ in range(3):
        await visit.page.keyboard.press("ArrowRight")
    await expect(visit.chat.locator("#chosen")).to_have_text("Good")
    await visit.page.keyboard.press("Tab")
    await visit.page.keyboard.type("quick and kind")
    await visit.chat.locator("#rate").press("Enter")
    await expect(visit.chat.locator(".notice").last).to_have_text("Thank you for your rating.")
    await expect(rating).to_be_hidden()
    await visit.page.reload()
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    await expect(rating).to_be_hidden()
    assert visit.errors == []


async def test_who_does_not_want_to_rate_is_not_asked_again(visit: Visit) -> None:
    await talk(visit)
    await conversation_of(visit, State.RESOLVED, "agent-1")
    await visit.page.reload()
    await expect(visit.chat.locator("#rating")).to_be_visible()
    await visit.chat.get_by_role("button", name="Do not rate").click()
    await visit.page.reload()
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    await expect(visit.chat.locator("#rating")).to_be_hidden()


# Queue, receipts, faces, cards


async def test_a_waiting_customer_sees_their_place(visit: Visit) -> None:
    await talk(visit)
    await conversation_of(visit, State.WAITING)
    inbound = visit.shop.engine.taken[-1]
    await visit.shop.engine.say(
        reply_to(inbound, "A person will come.", 7, author="automatic", state="waiting")
    )
    await expect(visit.chat.locator("#queue")).to_have_text(
        "place 1 in the queue · nobody is there right now"
    )
    await expect(visit.chat.locator("#person")).to_be_hidden()
    # Five waits of ten minutes are known, and somebody has come.
    waits = [{"assigned_at": float(n), "wait_s": 600.0} for n in range(5)]
    await visit.shop.engine.database.run(lambda c: c.execute(sa.insert(queue_times), waits))
    await presence.mark_online(visit.shop.redis, "agent-1")
    await visit.page.reload()
    await expect(visit.chat.locator("#queue")).to_have_text("place 1 in the queue · about 10 min")


async def test_agents_learn_what_was_seen(visit: Visit) -> None:
    await talk(visit)
    await visit.page.keyboard.press("Escape")
    await expect(visit.page.locator("iframe")).to_be_hidden()
    # The chat hears of it by a message of its own.
    await visit.chat.locator("html").evaluate("() => new Promise((done) => setTimeout(done))")
    late = reply_to(visit.shop.engine.taken[-1], "psst", 7, author="agent", agent="Asha")
    await visit.shop.engine.say(late)
    await expect(visit.launcher.locator("b")).to_have_text("1")
    assert late.id not in await _read(visit.shop)
    await visit.launcher.click()
    await expect(visit.chat.locator(".message.agent")).to_be_in_viewport()
    async with asyncio.timeout(60):
        while late.id not in await _read(visit.shop):
            await visit.page.wait_for_timeout(20)


async def _read(shop: Shop) -> set[str]:
    """Messages that a receipt has been recorded for."""
    told = set()
    for shard in range(shop.settings.shards):
        for _, fields in await shop.redis.xrange(redis_keys.record(shard)):
            row = json.loads(fields["body"])
            if row["kind"] == "delivery" and row["body"]["delivery"] == "read":
                told.add(row["body"]["id"])
    return told


async def test_an_agents_face_is_a_letter_or_a_photo(
    redis_dir: Path, redis_server: EmbeddedServer, tmp_path: Path, browser: Browser
) -> None:
    (tmp_path / "Asha.webp").write_bytes(base64.b64decode(PIXEL))
    shop = open_shop(redis_dir, redis_server, WebchatSettings(agent_photos=tmp_path))
    await shop.redis.flushall()
    shop.engine.script = answer
    async with visiting(shop, browser) as visit:
        await talk(visit)
        inbound = shop.engine.taken[-1]
        for number, agent in enumerate(("क्षमा", "Asha"), start=7):
            await shop.engine.say(
                reply_to(inbound, "hi", number, author="agent", agent=agent, state="assigned")
            )
        faces = visit.chat.locator(".message.agent .face")
        await expect(faces.first).to_have_text(re.compile("^क"))
        await expect(faces.last.locator("img")).to_have_js_property("naturalWidth", 1)
        await expect(visit.chat.locator("#avatar img")).to_have_count(1)
        assert visit.errors == []
    await shop.redis.aclose()
    shop.engine.database.close()
    (redis_dir / "samvad.sqlite3").unlink()


PIXEL = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="


async def test_cards_and_links_lead_only_where_they_may(visit: Visit) -> None:
    await talk(visit)
    card = {
        "title": "<b>Teapot</b>",
        "text": "One litre",
        "image": "/webchat/static/x/icon.svg",
        "image_text": "A teapot",
        "buttons": [
            {"title": "Shop", "url": "https://shop.example/teapot"},
            {"title": "Bad", "url": "javascript:alert(1)"},
            {"title": "Worse", "url": "java\nscript:alert(1)"},
            {"title": "Call", "url": "tel:+912240001234"},
        ],
    }
    words = (
        "See https://a.example/x?y=1, write to help@a.example or tel:+4915112345678, call"
        " +91 22 4000 1234, not javascript:alert(1) data:text/html,x or order 4711-AB."
    )
    said = reply_to(
        visit.shop.engine.taken[-1],
        words,
        7,
        author="agent",
        agent="Asha",
        metadata={"cards": [card, {"title": ""}, "no card"]},
    )
    await visit.shop.engine.say(said)
    await expect(visit.chat.locator(".card")).to_have_count(1)
    await expect(visit.chat.locator(".card-title")).to_have_text("<b>Teapot</b>")
    assert await visit.chat.locator(".card img").get_attribute("alt") == "A teapot"
    links = await visit.chat.locator(".log a").all()
    assert [await link.get_attribute("href") for link in links] == [
        "https://a.example/x?y=1",
        "mailto:help@a.example",
        "tel:+4915112345678",
        "tel:+912240001234",
        "https://shop.example/teapot",
        "tel:+912240001234",
    ]
    assert {await link.get_attribute("rel") for link in links} == {"noopener noreferrer nofollow"}
    # A customer's own words lead nobody anywhere.
    await visit.say("https://evil.example me@evil.example")
    await expect(visit.chat.locator(".message.customer a")).to_have_count(0)
    assert visit.errors == []


# Menu and rules


async def test_the_menu_closes_as_menus_do(visit: Visit) -> None:
    await visit.open()
    menu = visit.chat.locator("#menu")
    await visit.chat.locator("#more").press("Enter")
    await expect(visit.chat.locator("#transcript")).to_be_focused()
    await expect(visit.chat.locator("#more")).to_have_attribute("aria-expanded", "true")
    await visit.page.keyboard.press("Escape")
    await expect(menu).to_be_hidden()
    await expect(visit.chat.locator("#more")).to_be_focused()
    await expect(visit.page.locator("iframe")).to_be_visible()
    await visit.chat.locator("#more").click()
    await visit.chat.locator("#log").click()
    await expect(menu).to_be_hidden()


async def test_the_conversation_can_be_saved(visit: Visit) -> None:
    await talk(visit, "where is 4711-AB?")
    await visit.chat.locator("#more").click()
    async with visit.page.expect_download() as download:
        await visit.chat.locator("#transcript").click()
    saved = await (await download.value).path()
    text = saved.read_text()
    assert "where is 4711-AB?" in text
    assert "Bot, " in text
    assert (await download.value).suggested_filename == "Mela.txt"


@pytest.mark.parametrize("language", ["en", "hi", "mr", "ml", "th", "es", "ar"])
async def test_nothing_sticks_out_of_the_smallest_window(
    shop: Shop, browser: Browser, language: str
) -> None:
    def speak(inbound: Inbound) -> list[Outbound]:
        return [reply_to(inbound, "123", language=language, state="bot")]

    shop.engine.script = speak
    path = f"/webchat/frame?site=demo&consent=click&language={language}"
    async with visiting(shop, browser, path, viewport={"width": 320, "height": 480}) as visit:
        page = visit.page
        await expect(page.locator("html")).to_have_attribute("lang", language)
        await _all_inside(visit, "#gate")
        await page.locator("#gate-yes").click()
        await expect(page.locator(".message.bot")).to_have_count(1)
        await page.locator("#text").fill("1")
        await page.locator("#text").press("Enter")
        await expect(page.locator(".message.bot")).to_have_count(2)
        resolved = reply_to(shop.engine.taken[-1], "2", 7, language=language, state="resolved")
        await shop.engine.say(resolved)
        await page.locator("#stars input").nth(4).check()
        await page.locator("#file").set_input_files(
            [{"name": "a" * 90 + ".exe", "mimeType": "a/b", "buffer": b"MZ" + bytes(99)}]
        )
        await expect(page.locator('.upload[data-state="failed"]')).to_have_count(1)
        await _all_inside(visit, "#rating", "#form", "#tools", "#send")
        for part in ("#rate", "#comment"):
            await page.locator(part).scroll_into_view_if_needed()
            await _all_inside(visit, part)
        await page.locator("#more").click()
        await _all_inside(visit, "#menu")
        await page.locator("#forget").click()
        await _all_inside(visit, "#dialog", "#dialog-no", "#dialog-yes")


async def _all_inside(visit: Visit, *selectors: str) -> None:
    root = visit.page.locator("html")
    assert await root.evaluate("e => e.scrollWidth <= innerWidth")
    for selector in selectors:
        box = await visit.page.locator(selector).bounding_box()
        assert box is not None, selector
        assert box["x"] >= 0, selector
        assert box["x"] + box["width"] <= 320, selector
        assert box["y"] + box["height"] <= 480, selector
        part = visit.page.locator(selector)
        assert await part.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), selector


async def test_the_page_chooses_colours(shop: Shop, browser: Browser) -> None:
    shop.engine.script = answer
    path = "/webchat/frame?site=demo&theme=dark&colour=%23ffd000"
    async with visiting(shop, browser, path, color_scheme="light") as visit:
        await expect(visit.page.locator(".message.bot")).to_have_count(1)
        root = visit.page.locator("html")
        assert await root.evaluate("e => getComputedStyle(e).colorScheme") == "dark"
        bar = visit.page.locator(".bar")
        assert await bar.evaluate(
            "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
        ) == ["rgb(255, 208, 0)", "rgb(17, 17, 17)"]
        # Without attributes the system decides, also when it changes its mind.
        await visit.page.goto("/webchat/frame?site=demo")
        await expect(root).to_have_attribute("data-theme", "light")
        await visit.page.emulate_media(color_scheme="dark")
        await expect(root).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
async def test_nothing_moves_where_that_is_not_wanted(
    shop: Shop, browser: Browser, motion: str
) -> None:
    shop.engine.script = lambda inbound: answer(inbound) if inbound.kind == "start" else []
    async with visiting(shop, browser, reduced_motion=motion) as visit:
        await visit.open()
        await visit.say("hi")
        await expect(visit.chat.locator(".typing")).to_be_visible()
        moving = "e => e.getAnimations({ subtree: true }).length > 0"
        assert await visit.chat.locator("body").evaluate(moving) is (motion != "reduce")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ar"])
async def test_axe_finds_nothing(shop: Shop, browser: Browser, scheme: str, language: str) -> None:
    shop.engine.script = answer
    path = f"/?language={language}"
    async with visiting(
        shop,
        browser,
        path,
        color_scheme=scheme,
        locale=language,
        viewport={"width": 390, "height": 844},
    ) as visit:
        await visit.launcher.click()
        await expect(visit.chat.locator(".message.bot")).to_have_count(1)
        await visit.say("hi")
        await expect(visit.chat.locator(".replies button").first).to_be_visible()
        await _no_violations(visit, "conversation")
        inbound = shop.engine.taken[-1]
        card = {"title": "Teapot", "buttons": [{"title": "Shop", "url": "https://x.example"}]}
        await shop.engine.say(
            reply_to(
                inbound,
                "https://x.example",
                7,
                author="agent",
                agent="Asha",
                state="resolved",
                metadata={"cards": [card]},
            )
        )
        await visit.chat.locator("#file").set_input_files(
            [
                {"name": "a.txt", "mimeType": "text/plain", "buffer": b"hello"},
                {
                    "name": "b.exe",
                    "mimeType": "application/x-msdownload",
                    "buffer": b"MZ" + bytes(99),
                },
            ]
        )
        await expect(visit.chat.locator('.upload[data-state="failed"]')).to_have_count(1)
        await visit.chat.locator("#stars input").nth(2).check()
        await visit.chat.locator("#more").click()
        await _no_violations(visit, "card, files, rating, menu")
        await visit.chat.locator("#forget").click()
        await _no_violations(visit, "dialog")
        await visit.chat.locator("#dialog-yes").click()
        await expect(visit.chat.locator("#gate")).to_be_visible()
        await _no_violations(visit, "deleted")


async def _no_violations(visit: Visit, what: str) -> None:
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    # axe stays out of frames it has not been put into; the chat is one.
    frame = visit.page.frames[-1]
    found = await Axe().run(frame, options={"runOnly": tags})
    assert not found.response["violations"], (what, found.generate_report())
