"""Service levels as pure functions: which clocks run, until when, what became of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.routing.estimate import wait_s
from bot.routing.hours import Hours, parse_spans
from bot.routing.sla import (
    LEAST_LEFT_S,
    Clock,
    ClockState,
    Facts,
    SlaPolicy,
    ended,
    moments,
    policy_for,
    running,
    running_state,
)

WAITS = Facts("a", "webchat", 1, True, 100.0, None, 90.0, None, None)


def test_the_first_reply_runs_from_the_handoff_to_a_persons_first_words() -> None:
    assert running(WAITS) == {Clock.FIRST: 100.0, Clock.RESOLUTION: 100.0}
    answered = replace(WAITS, first_reply_at=160.0, answered_at=160.0, unanswered_since=None)
    assert running(answered) == {Clock.RESOLUTION: 100.0}
    assert ended(Clock.FIRST, answered, 100.0, 200.0) == (ClockState.MET, 160.0)
    assert ended(Clock.FIRST, answered, 100.0, 150.0) == (ClockState.LATE, 160.0)


def test_the_next_reply_runs_from_the_first_message_that_is_not_answered() -> None:
    again = replace(WAITS, first_reply_at=160.0, answered_at=160.0, unanswered_since=300.0)
    assert running(again)[Clock.NEXT] == 300.0
    assert Clock.FIRST not in running(again)
    done = replace(again, answered_at=420.0, unanswered_since=None)
    assert ended(Clock.NEXT, done, 300.0, 400.0) == (ClockState.LATE, 420.0)


def test_with_the_bot_no_clock_runs_and_none_is_broken() -> None:
    returned = replace(WAITS, owed=False)
    assert running(returned) == {}
    assert ended(Clock.FIRST, returned, 100.0, 200.0) == (ClockState.VOID, 0.0)
    assert running(replace(WAITS, requested_at=None)) == {}


def test_an_answer_from_before_the_clock_stops_nothing() -> None:
    early = replace(WAITS, answered_at=50.0)
    assert ended(Clock.NEXT, early, 100.0, 200.0)[0] == ClockState.VOID


def test_the_policy_that_says_most_is_in_force() -> None:
    usual, urgent = SlaPolicy("u", "Usual"), SlaPolicy("p", "Urgent", least_priority=1)
    team, other = SlaPolicy("t", "Team", team="a"), SlaPolicy("o", "Other", team="b")
    channel = SlaPolicy("c", "Chat", channel="webchat")
    everything = [usual, channel, urgent, other, team]
    assert policy_for(WAITS, everything) == team
    assert policy_for(WAITS, [usual, channel, urgent, other]) == urgent
    assert policy_for(WAITS, [usual, channel, other]) == channel
    assert policy_for(WAITS, [usual, other]) == usual
    assert policy_for(replace(WAITS, priority=0), [urgent, other]) is None


@pytest.mark.parametrize(
    ("now", "is_now"), [(0, "running"), (75, "warned"), (99.9, "warned"), (100, "breached")]
)
def test_a_warning_comes_before_the_breach(now: float, is_now: str) -> None:
    assert running_state(now, 75.0, 100.0) == is_now


def test_a_short_promise_warns_soon_enough_to_act() -> None:
    warn_at, due_at = moments(0.0, 60.0, None)
    assert (warn_at, due_at) == (60.0 - LEAST_LEFT_S, 60.0)
    assert moments(0.0, 10.0, None) == (0.0, 10.0)
    assert moments(0.0, 3600.0, None) == (2700.0, 3600.0)


def test_only_working_time_counts_where_the_policy_says_so() -> None:
    nine_to_five = Hours("UTC", (parse_spans("09:00-17:00"),) * 5 + ((), ()))
    friday_1630 = 1_763_742_600.0  # 2025-11-21T16:30Z
    _, due = moments(friday_1630, 3600.0, nine_to_five)
    assert due == friday_1630 + (64 + 1) * 3600, "Monday 09:30"


@given(st.floats(0, 1e9), st.floats(1, 1e6))
def test_the_warning_is_never_after_the_breach(start: float, allowed: float) -> None:
    warn_at, due_at = moments(start, allowed, None)
    assert start <= warn_at <= due_at


def test_an_estimate_needs_people_and_samples() -> None:
    waits = [10.0, 20.0, 30.0, 40.0, 50.0]
    assert wait_s(waits, 4, 2) == 60.0
    assert wait_s(waits, 4, 0) is None
    assert wait_s(waits[:4], 1, 1) is None
