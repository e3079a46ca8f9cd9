"""Whole dialogues through the shipped models and the shipped thresholds: who gets a person.

Each message is decided as in a turn of the bot (`bot/dialogue/decide.py`), without Redis and Rasa.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.content.load import load_folder
from bot.conversation.escalation import Decision, decide
from bot.conversation.states import Cause
from bot.settings import Settings, Thresholds
from bot.settings import load as load_settings
from bot.understanding import parse
from bot.understanding.mood.sentiment import running_mean
from bot.understanding.service import Knowledge, Understander

World = tuple[Understander, Knowledge]


@pytest.fixture(scope="module")
def world() -> World:
    settings: Settings = load_settings()
    understander = Understander.load(settings)
    content = load_folder(settings.data_dir / "faq", settings.languages)
    return understander, understander.learn(content)


def _play(world: World, messages: Sequence[str]) -> list[Decision]:
    understander, knowledge = world
    decisions: list[Decision] = []
    mean, failures = 0.0, 0
    for count, text in enumerate(messages, start=1):
        reading = understander.read(text, knowledge)
        mean = running_mean(mean, parse.negative_about_us(reading))
        signals = parse.signals(
            reading,
            knowledge.content,
            also=reading.also,
            negative_mean=mean,
            negative_count=count,
            failures=failures,
        )
        decision = decide(signals, Thresholds())
        failures = failures + 1 if decision.failed else 0
        decisions.append(decision)
    return decisions


@pytest.mark.timeout(300)  # the first test of a fresh checkout embeds the content
@pytest.mark.parametrize(
    "messages",
    [
        ["this is terrible news for my cat", "where is my order"],
        ["hello", "my parcel arrived damaged", "how do i send it back", "thanks"],
        ["I HAVE NOT RECEIVED MY ORDER", "how long does delivery take"],
        ["mera order abhi tak nahi aaya", "refund kab milega", "ok thank you"],
        ["mi pedido llegó roto", "¿cómo lo devuelvo?", "gracias"],
        ["मेरा पार्सल टूटा हुआ आया", "इसे वापस कैसे करूँ"],
    ],
)
def test_a_problem_that_can_be_answered_summons_nobody(world: World, messages: list[str]) -> None:
    for text, decision in zip(messages, _play(world, messages), strict=True):
        assert decision.kind != "handoff", text


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("how do i send it back", "start-return"),
        ("mi pedido llegó roto", "damaged-item"),
        ("¿cómo lo devuelvo?", "start-return"),
    ],
)
def test_a_problem_gets_the_answer_it_asks_for(world: World, text: str, entry: str) -> None:
    """Small talk summons nobody either, but it is no answer."""
    understander, knowledge = world
    assert understander.read(text, knowledge).entry == entry
    assert [decision.kind for decision in _play(world, [text])] == ["answer"]


@pytest.mark.parametrize(
    "messages",
    [
        [
            "it is taking rather long",
            "I already asked this yesterday and got no reply",
            "this is a bit annoying, I have to say",
        ],
        ["bahut der ho rahi hai", "kal bhi pucha tha koi jawab nahi mila", "thoda pareshan hu ab"],
    ],
)
def test_three_annoyed_messages_bring_a_person(world: World, messages: list[str]) -> None:
    assert any(decision.kind == "handoff" for decision in _play(world, messages))


@pytest.mark.parametrize(
    "text",
    [
        "you are the worst company i have ever dealt with, you idiots",
        "chor company",
        "sois unos ladrones, el peor servicio de mi vida",
    ],
)
def test_anger_at_us_brings_a_person_at_once(world: World, text: str) -> None:
    (decision,) = _play(world, [text])
    assert (decision.kind, decision.cause) == ("handoff", Cause.NEGATIVE_SENTIMENT)


@pytest.mark.parametrize(
    "text",
    ["i want to talk to a human", "kisi insaan se baat karni hai", "quiero hablar con una persona"],
)
def test_asking_for_a_person_brings_one(world: World, text: str) -> None:
    (decision,) = _play(world, [text])
    assert (decision.kind, decision.cause) == ("handoff", Cause.ASKED)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Where is my order? There is a payment to Mela that I didn't make.", Cause.POLICY),
        (
            "When do I get my refund? I want to make a complaint, your service is terrible",
            Cause.NEGATIVE_SENTIMENT,
        ),
    ],
)
def test_a_second_question_that_needs_a_person_brings_one(
    world: World, text: str, cause: Cause
) -> None:
    (decision,) = _play(world, [text])
    assert (decision.kind, decision.cause) == ("handoff", cause)


def test_two_messages_nobody_understands_bring_a_person(world: World) -> None:
    first, second = _play(world, ["the moon is made of green cheese", "fjords sing on tuesdays"])
    assert first.kind == "clarify"
    assert (second.kind, second.cause) == ("handoff", Cause.REPEATED_FALLBACK)


def test_an_answer_in_between_starts_the_count_again(world: World) -> None:
    strange = ["the moon is made of green cheese", "where is my order", "fjords sing on tuesdays"]
    assert [decision.kind for decision in _play(world, strange)] == ["clarify", "answer", "clarify"]


@pytest.mark.parametrize(
    "messages",
    [
        [
            "the lamp arrived in pieces",
            "and one of the bulbs was not in the box at all",
            "the refund for it has not reached my bank",
            "the app closes by itself when i look it up",
            "the payment for the new one failed twice",
        ],
        [
            "el paquete llegó abierto",
            "faltaba una taza",
            "no me llegó el código por sms",
            "me cobraron dos veces",
        ],
    ],
)
def test_a_row_of_plain_reports_summons_nobody(world: World, messages: list[str]) -> None:
    assert all(decision.kind != "handoff" for decision in _play(world, messages))
