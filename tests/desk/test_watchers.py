"""Who looks at a conversation and who writes there: it shows at once, and wears off by itself."""

import pytest

from bot.desk.live import watchers
from bot.desk.live.watchers import TYPING_S, WATCHED_S, Watchers


class Clock:
    """Monotonic seconds that a test turns on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watchers.time, "monotonic", made)
    return made


@pytest.fixture
def seen(clock: Clock) -> Watchers:
    made = Watchers()
    made.note("one", "look", "u-ravi", "Ravi")
    return made


def test_others_are_shown_and_oneself_is_not(seen: Watchers) -> None:
    assert seen.others("one", "u-asha") == [{"name": "Ravi", "typing": ""}]
    assert seen.others("one", "u-ravi") == []
    assert seen.others("two", "u-asha") == []


@pytest.mark.parametrize("what", ["typing", "noting"])
def test_who_writes_is_said_for_some_seconds(seen: Watchers, clock: Clock, what: str) -> None:
    seen.note("one", what, "u-ravi", "Ravi")
    clock.now += TYPING_S - 0.1
    assert seen.others("one", "u-asha") == [{"name": "Ravi", "typing": what}]
    clock.now += 0.2
    assert seen.others("one", "u-asha") == [{"name": "Ravi", "typing": ""}]


def test_who_leaves_is_gone_at_once(seen: Watchers) -> None:
    seen.note("one", "left", "u-ravi", "Ravi")
    assert seen.others("one", "u-asha") == []


def test_who_is_silent_too_long_is_gone(seen: Watchers, clock: Clock) -> None:
    clock.now += WATCHED_S - 0.1
    seen.note("one", "look", "u-meera", "Meera")
    seen.drop_silent("one")
    assert len(seen.others("one", "u-asha")) == 2
    clock.now += 0.2
    seen.drop_silent("one")
    assert seen.others("one", "u-asha") == [{"name": "Meera", "typing": ""}]


def test_nothing_is_kept_of_conversations_nobody_looks_at(seen: Watchers, clock: Clock) -> None:
    seen.note("two", "look", "u-ravi", "Ravi")
    seen.note("two", "left", "u-ravi", "Ravi")
    clock.now += WATCHED_S + 1
    seen.drop_silent("one")
    assert seen._watchers == {}
