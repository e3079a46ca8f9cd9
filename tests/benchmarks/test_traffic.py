"""The recorded traffic: the same for every system, as varied as it says."""

from __future__ import annotations

from itertools import islice

import pytest

from benchmarks.traffic import LONGEST, TAP_SHARE, Conversation, Examples, Traffic, load_examples


@pytest.fixture(scope="module")
def examples() -> Examples:
    return load_examples()


@pytest.fixture(scope="module")
def conversations(examples: Examples) -> list[Conversation]:
    return list(islice(Traffic(examples, "t"), 1500))


def test_equal_seeds_give_equal_messages_to_different_customers(examples: Examples) -> None:
    one = list(islice(Traffic(examples, "one"), 50))
    two = list(islice(Traffic(examples, "two"), 50))
    assert [c.steps for c in one] == [c.steps for c in two]
    assert not {c.customer for c in one} & {c.customer for c in two}


def test_another_seed_gives_other_messages(examples: Examples) -> None:
    one = list(islice(Traffic(examples), 50))
    two = list(islice(Traffic(examples, seed=1), 50))
    assert [c.steps for c in one] != [c.steps for c in two]


def test_no_text_is_said_twice(conversations: list[Conversation]) -> None:
    texts = [step.text for c in conversations for step in c.steps]
    assert len(texts) == len(set(texts))


def test_conversations_have_all_lengths_up_to_forty(conversations: list[Conversation]) -> None:
    assert {len(c.steps) for c in conversations} == set(range(1, LONGEST + 1))


def test_the_share_of_taps_is_as_told_and_none_comes_first(
    conversations: list[Conversation],
) -> None:
    steps = [step for c in conversations for step in c.steps]
    taps = sum(step.tap >= 0 for step in steps)
    assert taps / len(steps) == pytest.approx(TAP_SHARE, abs=0.02)
    assert all(c.steps[0].tap < 0 for c in conversations)


def test_a_question_names_the_entry_it_was_made_from(examples: Examples) -> None:
    known = dict(examples.questions)
    traffic = Traffic(examples)
    entries = {traffic.question().entry for _ in range(500)}
    assert entries <= set(known.values())
    assert len(entries) > len(set(known.values())) / 2
