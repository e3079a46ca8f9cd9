"""Choosing from a vendor's menu says something the bot understands, in every language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.content.load import load_folder
from bot.language import codes
from bot.settings import Settings
from bot.understanding.service import Knowledge, Understander
from channels.kit import menu

LANGUAGES = Settings().languages


@pytest.fixture(scope="module")
def reader() -> tuple[Understander, Knowledge]:
    own = replace(Settings(), cache_dir=Settings().made_dir)
    understander = Understander.load(own)
    return understander, understander.learn(load_folder(own.data_dir / "faq", own.languages))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("key", "intent"), [(menu.PERSON, "ask_human"), (menu.RESTART, "start_over")]
)
def test_what_an_item_says_is_understood(
    reader: tuple[Understander, Knowledge], language: str, key: str, intent: str
) -> None:
    understander, knowledge = reader
    said = menu.customer_text(Settings(), key, language)
    assert said is not None
    assert (understander.command(said) or understander.read(said, knowledge).intent) == intent


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_asks_for_itself(language: str) -> None:
    assert codes.language_named_in(menu.customer_text(Settings(), language, "en") or "") == language


def test_an_unknown_item_says_nothing() -> None:
    assert menu.customer_text(Settings(), "no-such-item", "en") is None
    assert menu.customer_text(Settings(), "xx", "en") is None


def test_menus_hold_the_same_items_in_every_language() -> None:
    keys = {tuple(i.key for i in menu.items(Settings(), language)) for language in LANGUAGES}
    assert keys == {("person", "restart", *LANGUAGES)}
