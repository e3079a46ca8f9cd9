"""The files people edit: the shipped pack keeps every rule and is as big as it should be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bot.content.load import load_folder
from bot.content.models import PERSON, Content
from bot.settings import Settings
from bot.understanding.examples import load_dialogue_examples

LANGUAGES = Settings().languages


@pytest.fixture(scope="module")
def shipped() -> Content:
    return load_folder(Path("data/faq"), LANGUAGES)


def test_there_are_enough_entries_and_topics(shipped: Content) -> None:
    assert len(shipped.entries) >= 60
    assert len({entry.topic for entry in shipped.entries}) >= 12
    assert "order-status" in shipped.by_id


def test_every_entry_has_ten_english_examples(shipped: Content) -> None:
    short = {e.id: len(e.examples.get("en", ())) for e in shipped.entries}
    assert not {name: count for name, count in short.items() if count < 10}


def test_every_entry_answers_and_is_titled_in_every_language(shipped: Content) -> None:
    for entry in shipped.entries:
        for language in LANGUAGES:
            assert entry.answer(language, "webchat", "en")[1] == language, (entry.id, language)
            assert entry.title.get(language), (entry.id, language)


def test_quick_replies_lead_somewhere_and_have_distinct_titles(shipped: Content) -> None:
    """Two buttons with one title could not be told apart when typed."""
    for entry in shipped.entries:
        for language in LANGUAGES:
            titles = [
                reply.title.get(language) or shipped.by_id[reply.target].title_in(language, "en")
                for reply in entry.quick_replies
                if reply.target != PERSON
            ]
            assert len(set(titles)) == len(titles), (entry.id, language)


def test_titles_are_unique_within_a_language(shipped: Content) -> None:
    for language in LANGUAGES:
        titles: dict[str, str] = {}
        for entry in shipped.entries:
            key = entry.title[language].casefold()
            assert key not in titles, (language, entry.id, titles[key])
            titles[key] = entry.id


def test_every_intent_of_the_examples_is_in_the_domain_and_has_a_rule() -> None:
    domain = yaml.safe_load(Path("domain.yml").read_text("utf-8"))
    rules = yaml.safe_load(Path("data/rules.yml").read_text("utf-8"))["rules"]
    ruled = {step["intent"] for rule in rules for step in rule["steps"] if "intent" in step}
    examples = {example.label for example in load_dialogue_examples(Path("data/nlu"))}
    assert examples <= set(domain["intents"])
    assert set(domain["intents"]) == ruled


def test_every_action_of_the_rules_is_known() -> None:
    domain = yaml.safe_load(Path("domain.yml").read_text("utf-8"))
    rules = yaml.safe_load(Path("data/rules.yml").read_text("utf-8"))["rules"]
    used = {step["action"] for rule in rules for step in rule["steps"] if "action" in step}
    assert used <= set(domain["actions"]) | set(domain["responses"])


def test_dialogue_examples_do_not_contradict_entries(shipped: Content) -> None:
    entries = {
        text.casefold().strip(" ?!.…"): entry.id
        for entry in shipped.entries
        for texts in entry.examples.values()
        for text in texts
    }
    labels = [
        (example.text, example.label, entries[example.text.casefold().strip(" ?!.…")])
        for example in load_dialogue_examples(Path("data/nlu"))
        if example.text.casefold().strip(" ?!.…") in entries
    ]
    assert labels == []
