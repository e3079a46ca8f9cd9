"""The short memory: survives JSON, stays small, finds buttons by id and by typed title."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.context import KEPT_QUICK_REPLIES, Context, ShownReply
from bot.language.follow import Belief
from bot.stores.packing import pack, unpack
from bot.streams.messages import QuickReply

REFUND = QuickReply("q1", "Refund time?", entry="refund-time", position=0, content_version=3)
PERSON = QuickReply("q2", "किसी से बात करें", action="person", position=1)


def test_a_new_conversation_has_an_empty_memory() -> None:
    assert Context.from_dict(None) == Context.from_dict({}) == Context()


@given(
    st.builds(
        Context,
        belief=st.none()
        | st.builds(
            Belief,
            language=st.sampled_from(["hi", "ar"]),
            romanised=st.booleans(),
            weights=st.just((("hi", 1.25), ("en", 0.5))),
            explicit=st.none() | st.just("th"),
        ),
        introduced=st.text(),
        failures=st.integers(0, 9),
        negative_mean=st.floats(0, 1),
        negative_count=st.integers(0, 99),
        episode=st.text(),
        answered=st.text(),
        noticed_at=st.floats(0, 2e9),
        shown=st.lists(
            st.builds(ShownReply, st.builds(QuickReply, st.text(), st.text()), st.text()),
            max_size=4,
        ).map(tuple),
    )
)
def test_it_survives_json(context: Context) -> None:
    assert Context.from_dict(unpack(pack(context.to_dict()))) == context


def test_a_new_episode_forgets_failures_mood_and_open_questions_but_not_the_customer() -> None:
    before = Context(
        belief=Belief("hi"),
        introduced="e1:1",
        failures=1,
        negative_mean=0.9,
        negative_count=4,
        episode="e1",
        answered="refund-time@3",
        noticed_at=5.0,
        shown=(ShownReply(REFUND, "m"),),
    )
    assert before.in_episode("e1") is before
    after = before.in_episode("e2")
    assert after == replace(
        before,
        episode="e2",
        failures=0,
        negative_mean=0.0,
        negative_count=0,
        answered="",
        noticed_at=0.0,
    )


def test_a_button_is_found_by_its_id_the_newest_first() -> None:
    newer = replace(REFUND, title="newer")
    context = Context().with_shown("m1", (REFUND, PERSON)).with_shown("m2", (newer,))
    assert context.find("q1") == newer
    assert context.find("q2") == PERSON
    assert context.find("q3") is None


def test_the_memory_of_buttons_is_bounded_and_keeps_the_newest() -> None:
    context = Context()
    for n in range(40):
        context = context.with_shown(f"m{n}", (QuickReply(f"q{n}", "x"),))
    assert len(context.shown) == KEPT_QUICK_REPLIES
    assert context.find("q39")
    assert context.find("q0") is None
    assert context.with_shown("m", ()) is context


@pytest.mark.parametrize(
    "text", ["Refund time?", "refund time", "  REFUND TIME ! ", "Refund time."]
)
def test_a_title_typed_is_a_tap(text: str) -> None:
    assert Context().with_shown("m1", (REFUND, PERSON)).typed(text) == REFUND


@pytest.mark.parametrize("text", ["", "  ", "?", "refund", "refund time please"])
def test_anything_else_is_not(text: str) -> None:
    empty = QuickReply("q9", "?")
    assert Context().with_shown("m1", (REFUND, empty)).typed(text) is None
    assert Context().typed(text) is None


def test_titles_of_older_messages_are_plain_text_again() -> None:
    context = Context().with_shown("m1", (REFUND,)).with_shown("m2", (PERSON,))
    assert context.typed("Refund time?") is None
    assert context.typed("किसी से बात करें") == PERSON


def test_a_message_counts_as_received_after_the_one_that_was_worked_off_before_it() -> None:
    context = Context(heard_at=100.0)
    assert context.hear(101.0) == 101.0
    assert context.hear(99.9) == 100.001, "it overtook the other on the way"
    assert context.hear(10.0) == 10.0, "a clock was wrong: not followed for ever"
    assert Context().hear(5.0) == 5.0
