"""What a text gets as the first message of a conversation, and how that is judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.content import publishing
from bot.dialogue.first_message import FirstMessages
from bot.dialogue.outcomes import Labelled, judge, outcome_of
from bot.settings import Settings
from bot.understanding.service import Understander


@pytest.fixture(scope="module")
def messages() -> FirstMessages:
    from bot import settings as settings_module

    config = settings_module.load()
    understander = Understander.load(config)
    content = publishing.load_folder(config.data_dir / "faq", config.languages)
    return FirstMessages(understander, understander.learn(content), config)


def test_a_question_is_answered_with_its_entry(messages: FirstMessages) -> None:
    message = messages.choose("where is my order")
    assert message.to_dict() == {
        "kind": "answer",
        "cause": None,
        "intent": "faq",
        "entry": "order-status",
        "also": None,
        "offered": [],
        "language": "en",
        "answered_in": "en",
    }


def test_a_language_without_answers_is_named_and_answered_in_the_default(
    messages: FirstMessages,
) -> None:
    found = messages.choose("Wo ist denn meine Bestellung geblieben?").to_dict()
    assert (found["language"], found["answered_in"]) == ("de", "en")


@pytest.mark.parametrize(
    ("text", "gold", "outcome"),
    [
        ("where is my order", "order-status", "right"),
        ("where is my order", "delivery-time|order-status", "right"),
        ("where is my order", "delivery-time", "wrong"),
        ("where is my order", "out_of_scope", "wrong"),
        ("where is my order", "order-status+warranty", "half"),
        ("I want to talk to a person", "ask_human", "right"),
        ("I want to talk to a person", "order-status", "handoff"),
        ("hello", "greet", "right"),
        ("hello", "order-status", "wrong"),
        ("hello", "out_of_scope", "right"),
        ("how tall is Mount Everest", "out_of_scope", "right"),
        ("how tall is Mount Everest", "order-status", "asked"),
    ],
)
def test_outcomes_are_judged_as_the_measuring_sets_say(
    messages: FirstMessages, text: str, gold: str, outcome: str
) -> None:
    assert outcome_of(messages.choose(text), gold) == outcome


def test_shares_are_of_each_language_script_and_kind(messages: FirstMessages) -> None:
    rows = [
        Labelled("where is my order", "order-status", "en", "Latn", "short"),
        Labelled("where is my order", "warranty", "en", "Latn", "normal"),
        Labelled("मेरा ऑर्डर कहाँ है", "order-status", "hi", "Deva", "short"),
    ]
    report = judge(rows, messages)
    assert report["all"]["n"] == 3
    assert report["by_language"]["en-Latn"]["right"] == 0.5
    assert report["by_script"]["Deva"]["right"] == 1.0
    assert report["by_kind"]["short"]["right"] == 1.0
    assert [row["outcome"] for row in report["rows"]] == ["right", "wrong", "right"]


def test_the_commands_say_the_same(
    tmp_path: Path,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "set.tsv"
    file.write_text("text\tgold\twhat else\nwhere is my order\torder-status\tx\n", "utf-8")
    assert main(["evaluate", "messages", "--test", str(file), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    monkeypatch.setattr("sys.stdin", iter(["where is my order\n"]))
    assert main(["parse", "--lines"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line.items() <= row.items()
    assert main(["parse", "where is my order"]) == 0
    assert "the answer of order-status" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("shipping charge kitna, cod milega kya", {"delivery-cost", "cash-on-delivery"}),
        ("cancel my order, when do i get the money", {"cancel-order", "refund-time"}),
        ("cuanto cuesta el envio, y cuanto tarda", {"delivery-cost", "delivery-time"}),
    ],
)
def test_two_matters_without_a_question_mark_are_both_answered(
    messages: FirstMessages, text: str, entries: set[str]
) -> None:
    assert set(messages.choose(text).entries) == entries


@pytest.mark.parametrize(
    "text",
    [
        "i want my cash back, put me through to somebody real",
        "parcel abhi tak nahi mila, kisi bande se baat karao",
        "no me llego el paquete, paseme con alguien de ahi",
        "زفت عليكم، خلوني اكلم موظف",
    ],
)
def test_a_person_is_heard_beside_a_matter(messages: FirstMessages, text: str) -> None:
    assert messages.choose(text).kind == "handoff"


@pytest.mark.parametrize("text", ["parcle trak", "oder nt recvd yet", "refnd hasnt came"])
def test_what_is_misspelt_is_answered_or_offered_among_several(
    messages: FirstMessages, text: str
) -> None:
    message = messages.choose(text)
    assert message.entries or len(message.offered) > 1


def test_what_no_entry_answers_is_refused_without_a_person(messages: FirstMessages) -> None:
    message = messages.choose("which river is the longest on earth")
    assert (message.kind, message.entries) == ("clarify", ())
