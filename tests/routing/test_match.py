"""Matching: deterministic, once each, within capacity, and nobody waits for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.routing.hours import Hours, parse_spans
from bot.routing.match import PRIORITY_WORTH_S, in_order, match, team_for, turn_of
from bot.routing.model import DEFAULT_TEAM, EVERYONE, Presence, RoutingAgent, Team, Waiting

NOW = 1_700_000_000.0
CLOSED = Hours(
    "UTC", ((),) * 7, {__import__("datetime").date(2020, 1, 1): parse_spans("9:00-9:01")}
)


def teams(*more: Team) -> dict[str, Team]:
    return {team.id: team for team in (DEFAULT_TEAM, *more)}


def waiting(n: int = 1, **more: Any) -> Waiting:
    values: dict[str, Any] = {
        "id": f"w{n}",
        "team": EVERYONE,
        "language": "en",
        "priority": 0,
        "waiting_since": NOW - 60 + n,
    }
    return Waiting(**{**values, **more})


def seat(name: str, **more: Any) -> RoutingAgent:
    return RoutingAgent(**{"id": name, "teams": frozenset(), "languages": {"en": 3}, **more})


def given_to(
    queue: list[Waiting],
    seats: list[RoutingAgent],
    known: Mapping[str, Team] | None = None,
    now: float = NOW,
) -> dict[str, str]:
    return {m.conversation: m.agent for m in match(queue, seats, known or teams(), now)}


LANGUAGES = ("en", "hi", "th", "hi-Latn")
TEAM_IDS = ("a", "b", EVERYONE)
queues = st.lists(
    st.builds(
        Waiting,
        id=st.integers(0, 999).map(lambda n: f"w{n}"),
        team=st.sampled_from((*TEAM_IDS, "removed")),
        language=st.sampled_from(LANGUAGES),
        priority=st.integers(0, 3),
        waiting_since=st.floats(NOW - 5000, NOW),
        before=st.sampled_from(("", "s1", "s2")),
    ),
    max_size=25,
    unique_by=lambda w: w.id,
)
crews = st.lists(
    st.builds(
        RoutingAgent,
        id=st.integers(0, 9).map(lambda n: f"s{n}"),
        teams=st.frozensets(st.sampled_from(("a", "b"))),
        languages=st.dictionaries(st.sampled_from(LANGUAGES), st.integers(1, 3), max_size=3),
        capacity=st.integers(0, 4),
        load=st.integers(0, 5),
        presence=st.sampled_from(list(Presence)),
        routed_at=st.floats(0, NOW),
    ),
    max_size=8,
    unique_by=lambda s: s.id,
)
plans = st.builds(
    lambda a, b: teams(a, b),
    st.builds(
        Team,
        id=st.just("a"),
        name=st.just("A"),
        overflow_after_s=st.integers(0, 900),
        overflow_to=st.sampled_from(((), ("b",), ("b", EVERYONE), ("gone",))),
    ),
    st.builds(Team, id=st.just("b"), name=st.just("B"), hours=st.sampled_from((Hours(), CLOSED))),
)


@given(queues, crews, plans)
def test_once_each_within_capacity_and_only_to_who_is_online(
    queue: list[Waiting], crew: list[RoutingAgent], plan: dict[str, Team]
) -> None:
    made = match(queue, crew, plan, NOW)
    assert all(number == 1 for number in Counter(m.conversation for m in made).values())
    known = {s.id: s for s in crew}
    for agent, number in Counter(m.agent for m in made).items():
        assert known[agent].presence == Presence.ONLINE
        assert known[agent].load + number <= known[agent].capacity


@given(queues, crews, plans, st.randoms())
def test_the_same_input_gives_the_same_output_in_any_order(
    queue: list[Waiting], crew: list[RoutingAgent], plan: dict[str, Team], chance: Any
) -> None:
    made = match(queue, crew, plan, NOW)
    chance.shuffle(queue)
    chance.shuffle(crew)
    assert match(queue, crew, dict(reversed(plan.items())), NOW) == made


@given(queues, crews, plans)
def test_nobody_free_is_left_while_somebody_they_may_take_waits(
    queue: list[Waiting], crew: list[RoutingAgent], plan: dict[str, Team]
) -> None:
    made = match(queue, crew, plan, NOW)
    taken = {m.conversation for m in made}
    load = Counter(m.agent for m in made)
    free = [s for s in crew if s.presence == Presence.ONLINE and s.load + load[s.id] < s.capacity]
    for left in queue:
        if left.id in taken:
            continue
        for one in free:
            crew_at_the_end = [replace(one, load=0, capacity=1), *_others(crew, one)]
            could = [m.agent for m in match([left], crew_at_the_end, plan, NOW)]
            assert could != [one.id], f"{one.id} could have had {left.id}"


def _others(crew: list[RoutingAgent], one: RoutingAgent) -> list[RoutingAgent]:
    """The rest as they are at the end: nobody of them free."""
    return [
        replace(s, capacity=0) if s.presence == Presence.ONLINE else s
        for s in crew
        if s.id != one.id
    ]


@settings(max_examples=30)
@given(queues, st.integers(1, 3), st.data())
def test_no_conversation_starves(queue: list[Waiting], hands: int, data: st.DataObject) -> None:
    """With one agent per team who finishes one conversation a minute, and an endless stream of
    urgent new ones, every conversation that waits at the start is served in bounded time."""
    plan = teams(Team("a", "A", overflow_after_s=60), Team("b", "B", overflow_after_s=60))
    crew = [
        seat(f"x{n}", teams=frozenset({"a", "b"}), capacity=1, languages={"th": 1})
        for n in range(hands)
    ]
    left = {w.id: w for w in queue}
    now = NOW
    # Newer ones of the highest priority stand before at most this many minutes.
    bound = len(queue) + int(3 * PRIORITY_WORTH_S / 60) + 10
    pending = dict(left)
    for number in range(bound):
        now += 60
        fresh = Waiting(f"z{number}", "a", data.draw(st.sampled_from(LANGUAGES)), 3, now)
        pending[fresh.id] = fresh
        for made in match(pending.values(), crew, plan, now):
            del pending[made.conversation]
            left.pop(made.conversation, None)
    assert not left


def test_priority_goes_first_but_not_for_ever() -> None:
    usual, urgent = waiting(1), waiting(2, priority=1)
    assert [w.id for w in in_order([usual, urgent])] == ["w2", "w1"]
    old = replace(usual, waiting_since=urgent.waiting_since - PRIORITY_WORTH_S - 1)
    assert [w.id for w in in_order([old, urgent])] == ["w1", "w2"]
    assert turn_of(100.0, 2) == 100.0 - 2 * PRIORITY_WORTH_S


def test_a_returning_customer_goes_to_the_agent_they_had() -> None:
    crew = [seat("idle"), seat("known", load=4)]
    (made,) = match([waiting(before="known")], crew, teams(), NOW)
    assert (made.agent, made.why) == ("known", "returning")
    full = [seat("idle"), seat("known", load=5)]
    assert given_to([waiting(before="known")], full) == {"w1": "idle"}
    gone = [seat("idle"), seat("known", presence=Presence.AWAY)]
    assert given_to([waiting(before="known")], gone) == {"w1": "idle"}


def test_a_customer_does_not_return_to_an_agent_of_another_team() -> None:
    plan = teams(Team("fraud", "Fraud"))
    crew = [seat("known"), seat("expert", teams=frozenset({"fraud"}))]
    assert given_to([waiting(team="fraud", before="known")], crew, plan) == {"w1": "expert"}


def test_the_least_loaded_gets_the_next_and_the_longest_idle_of_equals() -> None:
    crew = [seat("full", load=3), seat("some", load=1), seat("none")]
    assert given_to([waiting()], crew) == {"w1": "none"}
    crew = [seat("just", routed_at=NOW), seat("long", routed_at=NOW - 600)]
    assert given_to([waiting()], crew) == {"w1": "long"}


def test_capacities_count_as_shares() -> None:
    crew = [seat("large", capacity=10, load=4), seat("small", capacity=2, load=1)]
    assert given_to([waiting()], crew) == {"w1": "large"}


def test_who_knows_the_language_better_goes_first_until_they_are_busier() -> None:
    crew = [seat("native", languages={"en": 3}), seat("basic", languages={"en": 1})]
    queue = [waiting(n) for n in range(1, 8)]
    got = list(given_to(queue, crew).values())
    assert got[0] == "native"
    assert Counter(got) == {"native": 5, "basic": 2}


def test_the_language_is_waited_for_while_somebody_there_speaks_it() -> None:
    thai = waiting(language="th")
    busy = [seat("free"), seat("som", languages={"th": 3}, load=5)]
    assert given_to([thai], busy) == {}
    late = replace(thai, waiting_since=NOW - DEFAULT_TEAM.overflow_after_s)
    assert given_to([late], busy) == {"w1": "free"}, "then anybody, with a translation"
    nobody = [seat("free"), seat("som", languages={"th": 3}, presence=Presence.OFFLINE)]
    assert given_to([thai], nobody) == {"w1": "free"}, "nobody to wait for"


def test_romanised_writing_goes_to_who_speaks_the_language() -> None:
    crew = [seat("english"), seat("hindi", languages={"hi": 2}, load=4)]
    assert given_to([waiting(language="hi-Latn")], crew) == {"w1": "hindi"}


def test_other_teams_help_after_the_limit_and_at_once_when_closed() -> None:
    other = Team("b", "B")
    crew = [seat("helper", teams=frozenset({"b"}))]
    plan = teams(Team("a", "A", overflow_after_s=120, overflow_to=("b",)), other)
    fresh = waiting(team="a")
    assert given_to([fresh], crew, plan) == {}
    (made,) = match([fresh], crew, plan, fresh.waiting_since + 120)
    assert (made.agent, made.why) == ("helper", "overflow")
    closed = teams(Team("a", "A", hours=CLOSED, overflow_to=("b",)), other)
    assert given_to([fresh], crew, closed) == {"w1": "helper"}
    both = teams(Team("a", "A", hours=CLOSED, overflow_to=("b",)), replace(other, hours=CLOSED))
    assert given_to([fresh], crew, both) == {}, "a closed team helps nobody"


def test_a_kind_that_finds_nobody_does_not_hold_up_the_others() -> None:
    plan = teams(Team("a", "A"))
    queue = [*(waiting(n, team="a") for n in range(1, 50)), waiting(99)]
    assert given_to(queue, [seat("one")], plan) == {"w99": "one"}


@pytest.mark.parametrize(
    ("language", "topic", "chosen"),
    [
        ("th", "refunds", "refunds"),
        ("th", "orders", "thai"),
        ("en", "orders", EVERYONE),
        ("hi", "refunds", "refunds-hindi"),
        ("hi-Latn", "refunds", "refunds-hindi"),
        ("en", "", EVERYONE),
    ],
)
def test_the_team_that_says_most_is_chosen(language: str, topic: str, chosen: str) -> None:
    known = [
        DEFAULT_TEAM,
        Team("thai", "Thai", languages=frozenset({"th"})),
        Team("refunds", "Refunds", topics=frozenset({"refunds"})),
        Team(
            "refunds-hindi",
            "Refunds Hindi",
            languages=frozenset({"hi"}),
            topics=frozenset({"refunds"}),
        ),
        Team("any", "A team nobody is sent to by rule"),
    ]
    assert team_for(language, topic, known).id == chosen
