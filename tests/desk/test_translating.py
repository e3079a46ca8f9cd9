"""Translation at the desk, with a server that misbehaves: never in the way, never in the cache."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import desk_seed as seed
import pytest
import sqlalchemy as sa
from aiohttp.test_utils import TestServer
from desk_world import Desk
from libre_server import LibreServer
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect
from sqlalchemy.engine import Connection
from test_desk_browser import log_in, record

from bot.desk import app_keys, tables
from bot.desk.app import make_app
from bot.housekeeping import erasure
from bot.stores.tables import messages

ONE = "/conversations/webchat-1"
HOSTILE = "<img src=x onerror=document.title='owned'>\u202eदिल"


@pytest.fixture
def libre() -> Iterator[LibreServer]:
    made = LibreServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def translated(desk: Desk, libre: LibreServer) -> Desk:
    """The desk with a translator; Hindi is spoken in `webchat-1`, Asha has it."""
    settings = replace(
        desk.settings,
        translation_provider="libre",
        translation_url=libre.url,
        translation_timeout_s=3.0,
    )
    await desk.server.close()
    desk.server = TestServer(make_app(settings, desk.database, desk.redis, desk.service))
    await desk.server.start_server()

    def rows(connection: Connection) -> None:
        seed.conversation(connection, "webchat-1", state="assigned", owner="u-asha", language="hi")
        seed.message(connection, "webchat-1", "मेरा ऑर्डर कहाँ है?", language="hi")
        seed.message(connection, "webchat-1", "where is it", language="en")
        seed.message(connection, "webchat-1", "???", language="")

    desk.database.call(rows)
    return desk


async def ask(desk: Desk, ids: str = "m00000 m00001", login: str = "asha") -> list[dict[str, Any]]:
    browser = await desk.browser(login)
    response = await browser.client.post(
        f"{ONE}/translations",
        data={"ids": ids},
        headers={"X-CSRF-Token": browser.csrf, "Accept": "application/json"},
    )
    assert response.status == 200, await response.text()
    found: list[dict[str, Any]] = await response.json()
    return found


async def test_what_was_said_is_translated_once_and_kept_beside_it(
    translated: Desk, libre: LibreServer
) -> None:
    for _ in range(2):
        (made,) = await ask(translated)
        assert made == {
            "id": "m00000",
            "text": "‹मेरा ऑर्डर कहाँ है?›",
            "note": "Translated from हिन्दी",
        }
    assert [one["q"] for one in libre.asked] == ["मेरा ऑर्डर कहाँ है?"]
    keys = [key async for key in translated.redis.scan_iter(match="*translation:v1*")]
    assert keys == [], "a customer's words are in no shared cache"


async def test_order_numbers_do_not_leave_the_house(translated: Desk, libre: LibreServer) -> None:
    translated.database.call(
        lambda c: seed.message(
            c, "webchat-1", "ऑर्डर 4512-9987 कहाँ है, ann@example.com", language="hi"
        )
    )
    (made,) = await ask(translated, "m00003")
    assert "4512-9987" in made["text"]
    assert "4512" not in libre.asked[0]["q"]
    assert "ann@" not in libre.asked[0]["q"]


@pytest.mark.parametrize(
    ("mood", "why"),
    [
        ("slow", "took too long"),
        ("limited", "asks for a pause"),
        ("refused", "refused"),
        ("broken", "failed"),
        ("html", "failed"),
        ("other", "failed"),
        ("empty", ""),
        ("half", ""),
        ("lossy", ""),
    ],
)
async def test_without_a_translation_the_page_learns_why(
    translated: Desk, libre: LibreServer, mood: str, why: str
) -> None:
    libre.mood = mood
    translated.database.call(
        lambda c: seed.message(c, "webchat-1", "ऑर्डर 4512-9987 कहाँ है", language="hi")
    )
    async with asyncio.timeout(60):
        (made,) = await ask(translated, "m00003")
    assert made["text"] == ""
    assert made["note"].startswith("No translation: ")
    assert why in made["note"]
    stored = translated.database.call(lambda c: c.execute(sa.select(tables.translations)).all())
    assert stored == []
    libre.go_on.set()


async def test_a_translator_that_comes_back_is_asked_again(
    translated: Desk, libre: LibreServer
) -> None:
    libre.mood = "broken"
    (made,) = await ask(translated)
    assert made["text"] == ""
    libre.mood = "well"
    (made,) = await ask(translated)
    assert made["text"]


async def test_messages_of_other_conversations_are_not_translated(translated: Desk) -> None:
    def other(connection: Connection) -> None:
        seed.conversation(connection, "webchat-2", language="hi")
        seed.message(connection, "webchat-2", "राज़", language="hi")

    translated.database.call(other)
    assert await ask(translated, "m00003 nonsense") == []


async def test_a_reply_is_looked_at_and_sent_in_the_customers_language(translated: Desk) -> None:
    asha = await translated.browser()
    status, shown = await asha.act(f"{ONE}/preview", text="Tomorrow")
    assert (status, shown["text"], shown["language"]) == (200, "‹Tomorrow›", "hi")
    await asha.act(
        f"{ONE}/reply",
        text=str(shown["text"]),
        original="Tomorrow",
        provider=str(shown["provider"]),
    )
    await record(translated, "webchat-1")
    row = translated.database.call(
        lambda c: (
            c.execute(sa.select(messages).where(messages.c.author == "agent")).mappings().one()
        )
    )
    assert (row["text"], row["language"]) == ("‹Tomorrow›", "hi")
    assert row["reading"]["original"] == "Tomorrow"
    html = await asha.text("/inbox/mine/webchat-1")
    assert "Written in <bdi>English</bdi>" in html


@pytest.mark.parametrize("text", ["", "  ", "x" * 4001])
async def test_there_is_no_preview_of_nothing(translated: Desk, text: str) -> None:
    asha = await translated.browser()
    assert (await asha.act(f"{ONE}/preview", text=text))[0] == 400


async def test_a_desk_without_a_provider_offers_nothing(desk: Desk) -> None:
    desk.database.call(
        lambda c: seed.conversation(c, "webchat-1", state="assigned", owner="u-asha", language="hi")
    )
    asha = await desk.browser()
    html = await asha.text("/inbox/mine/webchat-1")
    assert 'data-target="' not in html
    assert 'id="translate"' not in html
    _, shown = await asha.act(f"{ONE}/preview", text="Tomorrow")
    assert shown["text"] == ""


async def test_agent_and_customer_each_read_their_language(
    translated: Desk, libre: LibreServer, chromium: Chromium
) -> None:
    translated.database.call(lambda c: seed.message(c, "webchat-1", HOSTILE, language="hi"))
    page = await log_in(translated, chromium, "asha")
    await page.goto(str(translated.server.make_url("/inbox/mine/webchat-1")))
    said = page.locator(".message.customer .translation")
    await expect(said.first).to_contain_text("‹मेरा ऑर्डर कहाँ है?›")
    await expect(said.first).to_contain_text("Translated from हिन्दी")
    await expect(said).to_have_count(3)
    assert await page.locator(".thread img").count() == 0
    await page.locator("#head h2").click()
    await page.keyboard.press("h")
    await expect(said.first).to_be_hidden()
    await page.keyboard.press("h")

    await page.locator("#text").fill("Tomorrow")
    await page.keyboard.press("Enter")
    await expect(page.locator("#preview")).to_contain_text("‹Tomorrow›")
    await expect(page.locator("#preview")).to_contain_text("In हिन्दी. Enter sends it.")
    assert await page.input_value("#text") == "Tomorrow"
    await page.locator("#text").press("Enter")
    await expect(page.locator(".message.agent")).to_contain_text("‹Tomorrow›")
    await record(translated, "webchat-1")
    await expect(page.locator(".message.agent:not(.pending) .translation")).to_contain_text(
        "Tomorrow"
    )

    # Dead: the agent is told, and a second Enter sends what was written.
    libre.mood = "slow"
    await page.locator("#text").fill("Next week")
    await page.locator("#text").press("Enter")
    await expect(page.locator("#preview.bad")).to_contain_text("took too long", timeout=15_000)
    await page.locator("#text").press("Enter")
    await expect(page.locator(".message.agent.pending")).to_contain_text("Next week")
    # Switched off by key, the words go as they are.
    await page.locator("#text").press("Alt+t")
    await page.locator("#text").fill("Bye")
    await page.locator("#text").press("Enter")
    await expect(page.locator(".message.agent.pending").last).to_contain_text("Bye")
    libre.go_on.set()


async def test_translations_are_erased_and_handed_out_with_their_customer(
    translated: Desk,
) -> None:
    await ask(translated)
    found = translated.database.call(lambda c: erasure.find_customer(c, "webchat-1"))
    copy = translated.database.call(lambda c: erasure.export(c, found))
    assert [one["text"] for one in copy["conversations"][0]["translations"]] == [
        "‹मेरा ऑर्डर कहाँ है?›"
    ]
    await erasure.erase(
        translated.database,
        translated.redis,
        translated.settings.shards,
        found,
        by="u-boss",
        files=translated.server.app[app_keys.FILES],
    )
    for table in (tables.translations, tables.mentions, tables.merges):
        rows = translated.database.call(lambda c, t=table: c.execute(sa.select(t)).all())
        assert rows == [], table.name
