"""Vendors' own menus: their entries in each language, and what choosing one means.

Choosing an item says something on the customer's behalf: words the bot is tested to understand
(channels.kit.customer_texts). Only the item's key travels.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.content.texts import SystemTexts
from bot.language import codes
from bot.settings import Settings
from channels.kit.customer_texts import customer_texts

START = "start"
PERSON = "person"
RESTART = "restart"


@dataclass(frozen=True)
class Item:
    """Entry of a menu."""

    key: str
    """`person`, `restart`, or the code of a language."""
    title: str


def items(settings: Settings, language: str) -> list[Item]:
    """List a menu in one language; languages are named in themselves."""
    texts = SystemTexts.load(settings.default_language)
    texts_by_language = customer_texts()
    return [
        Item(PERSON, texts.render("utter_title_person", language)),
        Item(RESTART, texts.render("utter_title_restart", language)),
        *(Item(code, codes.name(code)) for code in settings.languages if code in texts_by_language),
    ]


def customer_text(settings: Settings, key: str, language: str) -> str | None:
    """Return the customer's text for choosing an item; None for an unknown key."""
    texts = SystemTexts.load(settings.default_language)
    texts_by_language = customer_texts()
    if key == PERSON:
        return (texts_by_language.get(language) or texts_by_language[settings.default_language])[
            "person_message"
        ]
    if key == RESTART:
        return texts.render("utter_title_restart", language)
    if key in settings.languages and key in texts_by_language:
        return texts_by_language[key]["speak"]
    return None
