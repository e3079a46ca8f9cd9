"""Every cause becomes one sentence with its numbers."""

from types import SimpleNamespace

import pytest
from desk_seed import doubt

from bot.conversation.states import Cause
from bot.desk.conversation import reasons
from bot.desk.conversation.event_lines import event_line
from bot.desk.texts import Catalogue

ENGLISH = Catalogue.load().of("en")


@pytest.mark.parametrize(
    ("cause", "detail", "sentence"),
    [
        (Cause.ASKED, doubt(), "The customer asked for a person."),
        (
            Cause.LOW_CONFIDENCE,
            doubt(),
            "The bot did not understand the message; best guess “order-status”. "
            "Confidence 31%, needs 50%.",
        ),
        (
            Cause.NARROW_MARGIN,
            doubt(margin=0.03),
            "The bot could not decide between “order-status” and another answer. "
            "Lead 3%, needs 8%.",
        ),
        (
            Cause.REPEATED_FALLBACK,
            doubt(failures=1),
            "The bot failed to help 2 times in a row. Limit 2.",
        ),
        (
            Cause.NEGATIVE_SENTIMENT,
            doubt(negative=0.97),
            "The customer sounds unhappy. Negative 97%, limit 94%.",
        ),
        (
            Cause.NEGATIVE_SENTIMENT,
            doubt(negative=0.6, negative_mean=0.75),
            "The customer has been unhappy for several messages. "
            "Negative on average 75%, limit 72%.",
        ),
        (
            Cause.NEGATIVE_SENTIMENT,
            doubt(negative=0.6, negative_mean=0.24),
            "The customer sounds unhappy. Negative 60%.",
        ),
        (Cause.POLICY, doubt(entry="fraud"), "Questions about “fraud” always go to a person."),
        (Cause.AGENT_TAKEOVER, {"agent": "u1"}, "Asha took the conversation over from the bot."),
        (Cause.BOT_FAILURE, {"error": "timeout"}, "The bot had a technical error (timeout)."),
        ("something-new", None, "Handed off: something-new."),
    ],
)
def test_sentence_names_numbers_and_limits(cause: str, detail: dict, sentence: str) -> None:
    told = reasons.sentence(ENGLISH, cause, detail, {"u1": "Asha"})
    assert told.striptags() == sentence


@pytest.mark.parametrize("cause", list(Cause))
@pytest.mark.parametrize("detail", [None, {}, {"thresholds": None, "confidence": "high"}])
def test_missing_numbers_still_give_a_sentence(cause: Cause, detail: dict | None) -> None:
    sentence = reasons.sentence(ENGLISH, cause, detail, {})
    assert sentence.endswith(".")
    assert "None" not in sentence
    assert reasons.short(ENGLISH, cause)


def test_no_cause_no_sentence() -> None:
    assert reasons.sentence(ENGLISH, None, None, {}) == ""
    assert reasons.short(ENGLISH, None) == ""


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("handoff.transferred", "Asha passed the conversation on"),
        ("handoff.requeued", "The agent went offline; the conversation waits again"),
    ],
)
def test_the_thread_tells_why_it_waits_again(kind: str, line: str) -> None:
    item = SimpleNamespace(author=kind, data={}, author_name="Asha")
    assert event_line(ENGLISH, item, {}).striptags() == line  # type: ignore[arg-type]
