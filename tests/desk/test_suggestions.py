"""Suggested answers, transcript and the line of moods."""

from datetime import date

import desk_seed as seed
import pytest
from desk_world import Desk
from sqlalchemy.engine import Connection

from bot.content import versions
from bot.content.models import Content, Entry
from bot.desk.conversation import notes, readings
from bot.desk.conversation.suggestions import last_ranking, suggest
from bot.desk.conversation.thread import Item
from bot.desk.pages.canned import queries as canned
from bot.errors import BadRequest

TODAY = date(2026, 3, 1)


def entry(ident: str, **values: object) -> Entry:
    fields: dict[str, object] = {
        "id": ident,
        "topic": "orders",
        "subtopic": "s",
        "title": {"en": ident.title()},
        "examples": {"en": ("x",)},
        "answers": {"en": f"{ident} in English", "hi": f"{ident} हिन्दी"},
        **values,
    }
    return Entry(**fields)  # type: ignore[arg-type]


def test_suggestions_are_likely_valid_and_in_the_customers_language() -> None:
    content = Content(
        (
            entry("a"),
            entry("old", valid_until="2026-01-01"),
            entry("b"),
            entry("only-en", answers={"en": "English"}),
        )
    )
    ranking = [
        ("faq/a", 0.9),
        ("faq/old", 0.8),
        ("greet", 0.7),
        ("faq/gone", 0.6),
        ("faq/only-en", 0.5),
        ("faq/b", 0.01),
    ]
    found = suggest(content, ranking, "hi", "webchat", "en", TODAY)
    assert [(s.entry, s.text, s.language, s.title) for s in found] == [
        ("a", "a हिन्दी", "hi", "A"),
        ("only-en", "English", "en", "Only-En"),
    ]


def test_ranking_is_that_of_the_newest_message_with_a_reading() -> None:
    def item(number: int, author: str, reading: object) -> Item:
        return Item(str(number), "message", number, author, reading=reading)  # type: ignore[arg-type]

    items = [
        item(1, "customer", {"ranking": [["faq/a", 0.9]]}),
        item(2, "customer", {"ranking": [["faq/b", 0.8], "nonsense", ["faq/c", "high"]]}),
        item(3, "bot", {"ranking": [["faq/d", 1.0]]}),
        item(4, "customer", None),
    ]
    assert last_ranking(items) == [("faq/b", 0.8)]
    assert last_ranking([]) == []


async def test_only_the_owner_is_offered_answers(desk: Desk) -> None:
    def rows(connection: Connection) -> None:
        versions.write(connection, Content((entry("a"),)), based_on=1)
        seed.conversation(connection, "c", state="assigned", owner="u-asha", language="hi")
        seed.message(connection, "c", "?", reading={"ranking": [["faq/a", 0.9]]})

    desk.database.call(rows)
    assert 'data-insert="a हिन्दी"' in await (await desk.browser("asha")).text("/inbox/mine/c")
    assert "data-insert" not in await (await desk.browser("ravi")).text("/inbox/open/c")
    newer = Content((entry("a", answers={"en": "new", "hi": "नया"}),))
    desk.database.call(lambda c: versions.write(c, newer, based_on=2))
    assert 'data-insert="नया"' in await (await desk.browser("asha")).text("/inbox/mine/c")


async def test_transcripts_leave_notes_inside_and_are_audited(desk: Desk) -> None:
    def rows(connection: Connection) -> None:
        seed.conversation(connection, "c", state="assigned", owner="u-asha")
        seed.message(connection, "c", "<b>hello</b>\nthere")
        seed.message(connection, "c", "good day", "agent", agent="Asha")
        notes.add(connection, "c", "u-asha", "difficult person", key="n" * 8)

    desk.database.call(rows)
    asha, boss = await desk.browser("asha"), await desk.browser("boss")
    response = await asha.client.get("/conversations/c/transcript.txt")
    assert response.content_type == "text/plain"
    assert response.headers["Content-Disposition"].startswith("attachment")
    text = await response.text()
    assert text.index("<b>hello</b>\nthere") < text.index("Agent Asha\ngood day")
    assert "difficult" not in text
    assert "exported the transcript" in await boss.text("/users")
    assert (await asha.client.get("/conversations/nowhere/transcript.txt")).status == 404


def test_the_line_of_moods_needs_three_points() -> None:
    def said(negative: object) -> Item:
        return Item("i", "message", 0.0, "customer", reading={"negative": negative})  # type: ignore[arg-type]

    assert readings.mood_line([said(0.0), said(1.0)]) == ""
    assert readings.mood_line([said(0.0), said("?"), said(0.5), said(1.0)]) == (
        "0,38.0 100,20.0 200,2.0"
    )


@pytest.mark.parametrize("shortcut", ["thanks", "धन्यवाद", "ขอบคุณค่ะ", "شكرًا", "നന്ദി-2"])
def test_shortcuts_of_canned_replies_are_words_of_any_script(desk: Desk, shortcut: str) -> None:
    desk.database.call(lambda c: canned.save(c, f"/{shortcut}", "text"))
    assert [one.shortcut for one in desk.database.call(canned.list_all)] == [shortcut]
    with pytest.raises(BadRequest):
        desk.database.call(lambda c: canned.save(c, f"{shortcut} x", "text"))
