"""The transition table of docs/architecture.md, kept by the store for every pair of states."""

from __future__ import annotations

import itertools

import builders
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bot.conversation import store
from bot.conversation.states import ENDED, HUMAN, TRANSITIONS, State, is_allowed
from bot.errors import TransitionRefused
from bot.stores.database import Database

TABLE = {
    ("bot", "waiting"),
    ("bot", "assigned"),
    ("bot", "closed"),
    ("waiting", "assigned"),
    ("waiting", "bot"),
    ("waiting", "closed"),
    ("assigned", "bot"),
    ("assigned", "waiting"),
    ("assigned", "snoozed"),
    ("assigned", "resolved"),
    ("snoozed", "assigned"),
    ("resolved", "bot"),
    ("closed", "bot"),
    ("resolved", "assigned"),
    ("closed", "assigned"),
}
"""As docs/architecture.md draws it, written out a second time on purpose."""

WALKS = itertools.count()
SHARED = examples(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_the_table_is_the_one_the_design_draws() -> None:
    steps = {(a.value, b.value) for a, targets in TRANSITIONS.items() for b in targets}
    assert steps == TABLE
    assert set(TRANSITIONS) == set(State)


def test_no_state_leads_to_itself() -> None:
    assert not [state for state in State if is_allowed(state, state)]


def test_ended_and_human_states_are_told_apart() -> None:
    assert {State.RESOLVED, State.CLOSED} == ENDED
    assert {State.ASSIGNED, State.SNOOZED} == HUMAN


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("target", list(State))
def test_the_store_takes_a_step_if_and_only_if_the_table_has_it(
    database: Database, state: State, target: State
) -> None:
    before = builders.brought_to(database, state)
    if (state.value, target.value) in TABLE:
        after = builders.changed(database, before, target, key="step")
        assert after.state == target
        assert after.version == before.version + 1
    else:
        with pytest.raises(TransitionRefused, match=f"'{state}' to '{target}'"):
            builders.changed(database, before, target, key="step")
        assert database.call(lambda c: store.get(c, before.id)) == before


@SHARED
@given(steps=st.lists(st.sampled_from(list(State)), max_size=25))
def test_any_walk_keeps_the_rules(database: Database, steps: list[State]) -> None:
    user = f"walk-{next(WALKS)}"
    current = builders.opened(database, user=user)
    for number, target in enumerate(steps):
        key = f"{user}-{number}"
        extra = {"owner": "asha"} if target == State.ASSIGNED else {}
        try:
            after = builders.changed(database, current, target, key=key, **extra)
        except TransitionRefused:
            assert (current.state.value, target.value) not in TABLE
            continue
        assert (current.state.value, target.value) in TABLE
        assert after.version == current.version + 1
        assert (after.stint == current.stint + 1) == (target == State.BOT)
        if target == State.BOT:
            assert (after.owner, after.waiting_since, after.cause) == (None, None, None)
        if target == State.WAITING:
            assert after.owner is None
            assert after.waiting_since is not None
        again = builders.changed(database, after, target, key=key, **extra)
        assert again == after, "the same key acts once"
        current = after
