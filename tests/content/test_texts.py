"""System answers: complete in every language, alike in their placeholders, short on buttons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bot.content.texts import DOMAIN, SystemTexts, from_responses
from bot.content.validate import MAX_ANSWER_CHARS, MAX_TITLE_CHARS
from bot.errors import ConfigurationError
from bot.settings import Settings

LANGUAGES = Settings().languages
TEXTS = from_responses(yaml.safe_load(DOMAIN.read_text("utf-8"))["responses"], "en")
NAMES = sorted(set(TEXTS) - {"utter_faq"})
"""`utter_faq` is a placeholder; its answers are the published content."""
USED = {
    name
    for folder in ("bot", "actions", "channels")
    for path in Path(folder).rglob("*.py")
    for name in re.findall(r"[\"'](utter_[a-z_]+)[\"']", path.read_text("utf-8"))
} - {"utter_action"}


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_there_in_every_language_with_the_same_placeholders(name: str) -> None:
    assert set(LANGUAGES) <= TEXTS[name].keys()
    wanted = _placeholders(TEXTS[name]["en"])
    for language, text in TEXTS[name].items():
        assert _placeholders(text) == wanted, (name, language)
        assert text.strip() == text
        assert 0 < len(text) <= MAX_ANSWER_CHARS


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("utter_title_")])
def test_button_titles_fit_every_channel_in_every_language(name: str) -> None:
    for language, text in TEXTS[name].items():
        assert len(text) <= MAX_TITLE_CHARS, (name, language, len(text))


def test_no_two_languages_share_a_text() -> None:
    """A text copied and not translated shows here."""
    for name in NAMES:
        texts = [TEXTS[name][language] for language in LANGUAGES]
        assert len(set(texts)) == len(texts), name


@pytest.mark.parametrize("name", sorted(USED))
def test_every_answer_the_code_names_exists(name: str) -> None:
    assert any(known.startswith(name) for known in TEXTS), name


def test_the_bot_says_that_it_is_one_in_every_language() -> None:
    words = {
        "en": "bot",
        "hi": "बॉट",
        "mr": "बॉट",
        "ml": "ബോട്ട",
        "th": "บอต",
        "es": "bot",
        "ar": "روبوت",
    }
    for name in ("utter_bot_intro", "utter_agent_returned"):
        for language in LANGUAGES:
            assert words[language] in TEXTS[name][language], (name, language)


def test_a_text_is_filled_in_and_an_unknown_placeholder_stays() -> None:
    texts = SystemTexts({"utter_x": {"en": "{a} and {b}", "hi": "{a} और {b}"}}, "en")
    assert texts.render("utter_x", "hi", a=1, b="{a}") == "1 और {a}"
    assert texts.render("utter_x", "th", a=1) == "1 and {b}"
    assert texts.language_for("utter_x", "hi") == "hi"
    assert texts.language_for("utter_x", "th") == "en"
    assert texts.languages("utter_x") == {"en", "hi"}
    assert texts.has("utter_x")
    assert not texts.has("utter_y")
    with pytest.raises(KeyError):
        texts.render("utter_y", "en")


def test_a_file_that_is_no_domain_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "domain.yml"
    with pytest.raises(ConfigurationError, match=r"domain\.yml"):
        SystemTexts.load("en", path)
    path.write_text("intents: []\n", "utf-8")
    with pytest.raises(ConfigurationError, match="cannot be read as a Rasa domain"):
        SystemTexts.load("en", path)
