"""Words for Rasa's responses: by version, language and channel; never an exception or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import builders
import pytest
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from talk import CONTENT

from bot.content.models import Content
from bot.content.texts import SystemTexts
from bot.dialogue.nlg import FAILED, OFFERS_PERSON, ContentNlg
from bot.dialogue.rasa_call import RasaCall, calling_rasa

TEXTS = SystemTexts.load()


@pytest.fixture
def nlg() -> ContentNlg:
    return ContentNlg()


@pytest.fixture
def rasa_call() -> Iterator[RasaCall]:
    with calling_rasa(builders.rasa_call(CONTENT)) as made:
        yield made


def _hear(rasa_call: RasaCall, **options: Any) -> None:
    """Let the turn be another one."""
    rasa_call.options = replace(rasa_call.options, **options)


def _tracker(**understanding: Any) -> DialogueStateTracker:
    tracker = DialogueStateTracker("c", [])
    data = {"intent": {"name": "x"}, "entities": [], "understanding": understanding}
    tracker.update(UserUttered("", {"name": "x"}, [], data))
    return tracker


async def _say(nlg: ContentNlg, name: str, channel: str = "webchat", **more: Any) -> dict[str, Any]:
    return await nlg.generate(name, _tracker(**more), channel)


async def test_an_entry_is_answered_from_the_turns_own_version(
    nlg: ContentNlg, rasa_call: RasaCall
) -> None:
    _hear(rasa_call, language="hi")
    said = await _say(nlg, "utter_faq/order-status")
    assert (said["text"], said["language"]) == ("रास्ते में है।", "hi")
    assert (said["entry"], said["content_version"]) == ("order-status", 7)
    assert [r.get("entry") or r["action"] for r in said["quick_replies"]] == [
        "refund-time",
        "person",
        "helped",
        "not-helped",
    ]
    assert said["quick_replies"][0]["title"] == "रिफ़ंड कब"


async def test_a_channel_with_its_own_words_gets_them(nlg: ContentNlg, rasa_call: RasaCall) -> None:
    own = replace(CONTENT.entries[1], channels={"facebook": {"en": "5 days"}})
    _hear(rasa_call, content=Content((own,), 8))
    assert (await _say(nlg, "utter_faq/refund-time", "facebook"))["text"] == "5 days"
    assert (await _say(nlg, "utter_faq/refund-time", "telegram"))["text"] == "Five days."


def _dated(rasa_call: RasaCall, days: int, key: str) -> str:
    """A date so many days from the message's own."""
    day = rasa_call.options.today + timedelta(days=days)
    own = [
        replace(e, **{key: day.isoformat()}) if e.id == "refund-time" else e
        for e in CONTENT.entries
    ]
    _hear(rasa_call, content=Content(tuple(own), 8))
    return day.isoformat()


@pytest.mark.parametrize(("key", "days"), [("valid_until", -1), ("valid_from", 1)])
async def test_an_entry_out_of_its_dates_is_neither_answered_nor_offered(
    nlg: ContentNlg, rasa_call: RasaCall, key: str, days: int
) -> None:
    _dated(rasa_call, days, key)
    said = await _say(nlg, "utter_faq/refund-time")
    assert said["text"] == TEXTS.render("utter_clarify_none", "en")
    assert "entry" not in said
    asked = await _say(nlg, "utter_clarify", choices=["refund-time", "order-status"])
    led = await _say(nlg, "utter_faq/order-status")
    for offer in (asked, led):
        assert "refund-time" not in [reply.get("entry") for reply in offer["quick_replies"]]


@pytest.mark.parametrize(("key", "days"), [("valid_until", 0), ("valid_from", 0)])
async def test_the_first_and_the_last_day_count(
    nlg: ContentNlg, rasa_call: RasaCall, key: str, days: int
) -> None:
    _dated(rasa_call, days, key)
    assert (await _say(nlg, "utter_faq/refund-time"))["entry"] == "refund-time"


@pytest.mark.parametrize("name", ["utter_faq/gone", "utter_not_in_the_domain"])
async def test_what_cannot_be_said_is_a_marked_apology(
    nlg: ContentNlg, rasa_call: RasaCall, name: str
) -> None:
    _hear(rasa_call, language="th")
    said = await _say(nlg, name)
    assert said[FAILED] is True
    assert said["text"] == TEXTS.render("utter_apology", "th")


@pytest.mark.parametrize("name", sorted(OFFERS_PERSON))
async def test_answers_that_solve_nothing_offer_a_person(
    nlg: ContentNlg, rasa_call: RasaCall, name: str
) -> None:
    said = await _say(nlg, name)
    assert [reply["action"] for reply in said["quick_replies"]] == ["person"]


async def test_asking_back_offers_what_was_close_and_a_person(
    nlg: ContentNlg, rasa_call: RasaCall
) -> None:
    said = await _say(nlg, "utter_clarify", choices=["refund-time", "gone", "order-status"])
    assert said["text"] == TEXTS.render("utter_clarify", "en")
    assert [r.get("entry") or r["action"] for r in said["quick_replies"]] == [
        "refund-time",
        "order-status",
        "person",
    ]
    nothing = await _say(nlg, "utter_clarify", choices=[])
    assert nothing["text"] == TEXTS.render("utter_clarify_none", "en")


async def test_the_greeting_names_every_language_by_its_own_name(
    nlg: ContentNlg, rasa_call: RasaCall
) -> None:
    text = (await _say(nlg, "utter_greet"))["text"]
    assert "{" not in text
    for name in ("English", "हिन्दी", "मराठी", "മലയാളം", "ไทย", "español", "العربية"):
        assert name.casefold() in text.casefold()


async def test_a_fresh_dict_each_time(nlg: ContentNlg, rasa_call: RasaCall) -> None:
    """Rasa pops keys from what it is given."""
    first = await _say(nlg, "utter_thanks")
    first.clear()
    assert (await _say(nlg, "utter_thanks"))["text"]


async def test_outside_a_turn_the_language_is_the_messages(nlg: ContentNlg) -> None:
    assert (await _say(nlg, "utter_thanks", language="ar"))["language"] == "ar"
    assert (await _say(nlg, "utter_thanks", language="fi"))["language"] == "en"
    assert (await _say(nlg, "utter_thanks"))["language"] == "en"


async def test_an_answer_repeats_what_the_message_named(
    nlg: ContentNlg, rasa_call: RasaCall
) -> None:
    answer = "Refund for {order_number|your order} is due."
    own = replace(CONTENT.entries[1], answers={"en": answer})
    _hear(rasa_call, content=Content((own,), 8))
    assert (await _say(nlg, "utter_faq/refund-time"))["text"] == "Refund for your order is due."
    _hear(rasa_call, text="refund for order A123456 please")
    assert (await _say(nlg, "utter_faq/refund-time"))["text"] == "Refund for A123456 is due."
