"""A question in each language gets the published words of its entry, letter for letter."""

from __future__ import annotations

from typing import Any

import pytest
from running import System, Visitor

from bot.content.models import PERSON, Content, Entry
from bot.content.texts import SystemTexts
from bot.language import codes
from bot.language.detect import detect
from bot.settings import Settings

LANGUAGES = Settings().languages
BUSINESS = Settings().business_name


def question(entry: Entry, language: str) -> str:
    """The first example of the entry that tells its language even when it stands alone."""
    found = [text for text in entry.examples[language] if detect(text).language == language]
    assert found, f"{entry.id} has no clear example in {language}"
    return found[0]


def titles(entry: Entry, content: Content, texts: SystemTexts, language: str) -> list[str]:
    """Buttons an answer must show: the entry's own, in order, then "did that help?"."""
    shown = [
        texts.render("utter_title_person", language)
        if reply.target == PERSON
        else reply.title.get(language) or content.by_id[reply.target].title[language]
        for reply in entry.quick_replies
    ]
    rating = ("utter_title_helped", "utter_title_not_helped")
    return [*shown, *(texts.render(name, language) for name in rating)]


def intro(texts: SystemTexts, language: str) -> str:
    return texts.render("utter_bot_intro", language, business=BUSINESS)


def shown_titles(message: dict[str, Any]) -> list[str]:
    return [reply["title"] for reply in message.get("quick_replies", ())]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("entry_id", ["order-status", "return-policy", "payment-methods"])
def test_a_question_gets_the_published_answer(
    system: System, published: Content, texts: SystemTexts, who: str, language: str, entry_id: str
) -> None:
    entry = published.by_id[entry_id]
    first, answer = system.rest(who, question(entry, language))
    assert (first["text"], first["language"]) == (intro(texts, language), language)
    assert answer["text"] == entry.answers[language]
    assert (answer["language"], answer["entry"]) == (language, entry_id)
    assert answer["utter"] == f"utter_faq/{entry_id}"
    assert answer["state"] == "bot"
    assert answer["content_version"] == system.health()["content"]["live"]
    assert shown_titles(answer) == titles(entry, published, texts, language)
    assert [r["action"] for r in answer["quick_replies"]][-2:] == ["helped", "not-helped"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_widget_shows_the_same_words(
    system: System, published: Content, texts: SystemTexts, language: str
) -> None:
    entry = published.by_id["order-status"]
    visitor = Visitor(system)
    first, answer = visitor.ask(question(entry, language), 2)
    assert (first["text"], first["author"]) == (intro(texts, language), "bot")
    assert (answer["text"], answer["language"]) == (entry.answers[language], language)
    assert shown_titles(answer) == titles(entry, published, texts, language)
    assert answer["direction"] == ("rtl" if language == "ar" else "ltr")
    assert [m["author"] for m in visitor.history()] == ["customer", "bot", "bot"]


def test_the_bot_says_once_an_episode_that_it_is_one(
    system: System, published: Content, who: str
) -> None:
    assert len(system.rest(who, question(published.by_id["order-status"], "en"))) == 2
    (answer,) = system.rest(who, question(published.by_id["return-policy"], "en"))
    assert answer["entry"] == "return-policy"


@pytest.mark.parametrize(
    ("language", "hello"),
    [
        ("en", "good morning"),
        ("hi", "नमस्ते"),
        ("es", "hola, buenos días"),
        ("ar", "السلام عليكم"),
        ("th", "สวัสดีค่ะ"),
        ("ml", "നമസ്കാരം"),
        ("mr", "शुभ सकाळ"),
    ],
)
def test_a_greeting_names_the_languages_and_the_way_to_a_person(
    system: System, texts: SystemTexts, who: str, language: str, hello: str
) -> None:
    first, greeting = system.rest(who, hello)
    assert first["text"] == intro(texts, language)
    names = ", ".join(codes.name(code) for code in LANGUAGES)
    assert greeting["text"] == texts.render("utter_greet", language, languages=names)
    assert all(codes.name(code) in greeting["text"] for code in LANGUAGES)
    assert [r["action"] for r in greeting["quick_replies"]] == ["person"]


def test_an_opened_chat_is_greeted_in_the_browsers_language(
    system: System, texts: SystemTexts
) -> None:
    visitor = Visitor(system, locale="hi-IN")
    visitor.send(kind="start")
    first, greeting = visitor.wait(2)
    assert first["text"] == intro(texts, "hi")
    assert greeting["language"] == "hi"
    assert "customer" not in {m["author"] for m in visitor.history()}


@pytest.mark.parametrize(
    ("start", "wish", "language"),
    [
        ("hi", "speak English please", "en"),
        ("en", "हिंदी में बात करो", "hi"),
        ("en", "puedes hablar español", "es"),
        ("ar", "please answer in Thai", "th"),
    ],
)
def test_a_wish_for_a_language_is_respected_and_kept(
    system: System,
    published: Content,
    texts: SystemTexts,
    who: str,
    start: str,
    wish: str,
    language: str,
) -> None:
    status, returns = published.by_id["order-status"], published.by_id["return-policy"]
    system.rest(who, question(status, start))
    (changed,) = system.rest(who, wish)
    assert changed["language"] == language
    told = texts.render("utter_language_changed", language, language_name=codes.name(language))
    assert changed["text"] == told
    # The wish outlives messages in the language spoken before.
    (answer,) = system.rest(who, question(returns, start))
    assert (answer["text"], answer["language"]) == (returns.answers[language], language)


def test_the_answer_follows_a_customer_who_changes_language(
    system: System, published: Content, who: str
) -> None:
    status, returns = published.by_id["order-status"], published.by_id["return-policy"]
    system.rest(who, question(status, "es"))
    (answer,) = system.rest(who, question(returns, "ml"))
    assert answer["text"] == returns.answers["ml"]


@pytest.mark.parametrize(
    ("text", "entry_id"),
    [
        ("Wo ist meine Bestellung? Ich warte seit zwei Wochen auf mein Paket.", "order-status"),
        ("Où est mon colis ? J'attends depuis une semaine.", "order-status"),
        ("Где мой заказ? Жду уже неделю", "order-status"),
    ],
)
def test_a_language_without_answers_is_understood_and_answered_in_the_default(
    system: System, published: Content, texts: SystemTexts, who: str, text: str, entry_id: str
) -> None:
    first, answer = system.rest(who, text)
    assert first["text"] == intro(texts, "en")
    assert (answer["entry"], answer["text"]) == (entry_id, published.by_id[entry_id].answers["en"])


def test_a_language_we_cannot_answer_in_is_declined_kindly(
    system: System, texts: SystemTexts, who: str
) -> None:
    _, answer = system.rest(who, "can you speak French please?")
    assert answer["utter"] == "utter_language_unsupported"
    names = ", ".join(codes.name(code) for code in LANGUAGES)
    assert answer["text"] == texts.render(
        "utter_language_unsupported", "en", language_name=codes.name("fr"), languages=names
    )
