"""Menus of the vendors' own: what they show in each language, and what choosing means.

Choosing an item says something on the customer's behalf: words the bot is tested to understand
(the widget's texts, channels/webchat/static/texts). Only the item's key travels.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.content.texts import SystemTexts
from bot.language import codes
from bot.settings import Settings

START = "start"
PERSON = "person"
RESTART = "restart"
_TEXTS = Path(__file__).parents[1] / "webchat" / "static" / "texts"


@dataclass(frozen=True)
class Item:
    """One line of a menu."""

    key: str
    """`person`, `restart`, or the code of a language."""
    title: str


def items(settings: Settings, language: str) -> list[Item]:
    """List a menu in one language; languages are named in themselves."""
    texts = SystemTexts.load(settings.default_language)
    known = _texts()
    return [
        Item(PERSON, texts.render("utter_title_person", language)),
        Item(RESTART, texts.render("utter_title_restart", language)),
        *(Item(code, codes.name(code)) for code in settings.languages if code in known),
    ]


def said(settings: Settings, key: str, language: str) -> str | None:
    """What choosing an item says, in the customer's language; None for an unknown key."""
    texts = SystemTexts.load(settings.default_language)
    known = _texts()
    if key == PERSON:
        return (known.get(language) or known[settings.default_language])["person_message"]
    if key == RESTART:
        return texts.render("utter_title_restart", language)
    if key in settings.languages and key in known:
        return known[key]["speak"]
    return None


@cache
def _texts() -> dict[str, dict[str, str]]:
    return {path.stem: json.loads(path.read_text("utf-8")) for path in _TEXTS.glob("*.json")}
