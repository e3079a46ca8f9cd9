"""The decision, as a table: signals and thresholds in, kind and cause out."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.escalation import Decision, Signals, decide
from bot.conversation.states import Cause
from bot.settings import Thresholds

LIMITS = Thresholds(
    confidence=0.4,
    margin=0.1,
    failures=2,
    negative_message=0.9,
    negative_mean=0.7,
    negative_messages=3,
)
SURE = Signals(intent="faq", entry="order-status", confidence=0.9, margin=0.5, rival_is_entry=True)
"""A message the bot answers; each test spoils one thing."""


def _decide(**changes: object) -> tuple[str, Cause | None]:
    decision = decide(replace(SURE, **changes), LIMITS)
    return decision.kind, decision.cause


@pytest.mark.parametrize(
    ("changes", "kind", "cause"),
    [
        ({}, "answer", None),
        ({"intent": "greet", "confidence": 0.0, "margin": 0.0}, "answer", None),
        # what the customer asked for
        ({"asked_for_person": True}, "handoff", Cause.ASKED),
        ({"entry_needs_person": True}, "handoff", Cause.POLICY),
        ({"entry_needs_person": True, "intent": "greet"}, "answer", None),
        # how they feel
        ({"negative": 0.9, "aimed_at_us": True}, "handoff", Cause.NEGATIVE_SENTIMENT),
        ({"negative": 0.89, "aimed_at_us": True}, "answer", None),
        ({"negative": 1.0}, "answer", None),
        ({"negative_mean": 0.7, "negative_count": 3}, "handoff", Cause.NEGATIVE_SENTIMENT),
        ({"negative_mean": 0.7, "negative_count": 2}, "answer", None),
        ({"negative_mean": 0.69, "negative_count": 9}, "answer", None),
        ({"negative": 1.0, "aimed_at_us": True, "tapped": True}, "answer", None),
        # how sure we are
        ({"intent": ""}, "clarify", Cause.LOW_CONFIDENCE),
        ({"intent": "angry"}, "clarify", Cause.LOW_CONFIDENCE),
        ({"intent": "out_of_scope"}, "clarify", Cause.LOW_CONFIDENCE),
        ({"confidence": 0.39}, "clarify", Cause.LOW_CONFIDENCE),
        ({"confidence": 0.4}, "answer", None),
        ({"margin": 0.09}, "clarify", Cause.NARROW_MARGIN),
        ({"margin": 0.1}, "answer", None),
        ({"margin": 0.0, "rival_is_entry": False}, "answer", None),
        ({"tapped": True, "margin": 0.0, "confidence": 0.0}, "answer", None),
        # failures in a row
        ({"intent": "", "failures": 1}, "handoff", Cause.REPEATED_FALLBACK),
        ({"margin": 0.0, "failures": 1}, "handoff", Cause.REPEATED_FALLBACK),
        ({"failures": 1}, "answer", None),
        ({"not_helped": True}, "clarify", Cause.REPEATED_FALLBACK),
        ({"not_helped": True, "failures": 1}, "handoff", Cause.REPEATED_FALLBACK),
        ({"not_helped": True, "tapped": True}, "clarify", Cause.REPEATED_FALLBACK),
        # something broke
        ({"bot_failed": True}, "handoff", Cause.BOT_FAILURE),
    ],
)
def test_one_signal_decides(changes: dict[str, object], kind: str, cause: Cause | None) -> None:
    assert _decide(**changes) == (kind, cause)


def test_every_cause_but_the_agents_own_can_come_out() -> None:
    """`agent-takeover` is the one cause that is not the bot's decision."""
    first_failure = replace(LIMITS, failures=1)
    seen = {
        decide(replace(SURE, **changes), limits).cause
        for changes, limits in [
            ({"asked_for_person": True}, LIMITS),
            ({"intent": ""}, first_failure),
            ({"margin": 0.0}, first_failure),
            ({"intent": "", "failures": 1}, LIMITS),
            ({"negative": 1.0, "aimed_at_us": True}, LIMITS),
            ({"entry_needs_person": True}, LIMITS),
            ({"bot_failed": True}, LIMITS),
        ]
    }
    assert seen == set(Cause) - {Cause.AGENT_TAKEOVER}


PRECEDENCE = [
    ({"bot_failed": True}, Cause.BOT_FAILURE),
    ({"asked_for_person": True}, Cause.ASKED),
    ({"entry_needs_person": True}, Cause.POLICY),
    ({"negative": 1.0, "aimed_at_us": True}, Cause.NEGATIVE_SENTIMENT),
    ({"confidence": 0.0, "failures": 5}, Cause.REPEATED_FALLBACK),
]


@pytest.mark.parametrize("first", range(len(PRECEDENCE)))
def test_what_stands_earlier_in_the_order_wins(first: int) -> None:
    changes: dict[str, object] = {}
    for part, _ in PRECEDENCE[first:]:
        changes |= part
    assert _decide(**changes) == ("handoff", PRECEDENCE[first][1])


def test_one_failure_hands_off_at_once_when_told_so_and_names_the_first_doubt() -> None:
    limits = replace(LIMITS, failures=1)
    found = decide(replace(SURE, margin=0.0), limits)
    assert (found.kind, found.cause) == ("handoff", Cause.NARROW_MARGIN)


@pytest.mark.parametrize("changes", [{"intent": ""}, {"intent": "", "failures": 4}])
def test_doubt_counts_as_a_failure_and_a_request_does_not(changes: dict[str, object]) -> None:
    assert decide(replace(SURE, **changes), LIMITS).failed
    assert not decide(replace(SURE, asked_for_person=True, **changes), LIMITS).failed
    assert not decide(SURE, LIMITS).failed


def test_handoff_and_clarification_carry_numbers_and_thresholds_in_force() -> None:
    found = decide(replace(SURE, confidence=0.12345, threshold=0.6, negative=0.2), LIMITS)
    assert found.numbers is not None
    assert found.numbers["confidence"] == 0.123
    assert found.numbers["threshold"] == 0.6, "the stricter of the classifier's and ours"
    assert found.numbers["entry"] == "order-status"
    assert found.numbers["thresholds"] == asdict(LIMITS)


@given(
    st.builds(
        Signals,
        intent=st.sampled_from(["", "faq", "greet", "out_of_scope"]),
        confidence=st.floats(0, 1),
        margin=st.floats(0, 1),
        rival_is_entry=st.booleans(),
        entry_needs_person=st.booleans(),
        asked_for_person=st.booleans(),
        not_helped=st.booleans(),
        negative=st.floats(0, 1),
        aimed_at_us=st.booleans(),
        negative_mean=st.floats(0, 1),
        negative_count=st.integers(0, 50),
        failures=st.integers(0, 50),
        bot_failed=st.booleans(),
        tapped=st.booleans(),
    )
)
def test_whatever_happens_there_is_a_decision_with_a_cause(signals: Signals) -> None:
    found: Decision = decide(signals, LIMITS)
    assert found.kind in {"answer", "clarify", "handoff"}
    assert (found.cause is None) == (found.kind == "answer")
    if found.kind == "clarify":
        assert signals.failures + 1 < LIMITS.failures, "asks back once, not for ever"
