"""Odd rows: named in the log, left alone for longer each time, and in nobody's way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from bot.errors import StoreUnavailable
from bot.stores import set_aside
from bot.stores.set_aside import SetAside


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def aside(clock: Clock) -> SetAside:
    return SetAside("test", clock=clock)


def fail(aside: SetAside, row: str = "odd") -> None:
    with aside.row(row):
        raise ValueError("the customer's words")


def test_an_odd_row_is_named_and_its_words_are_not(aside: SetAside) -> None:
    with capture_logs() as logs:
        fail(aside)
    (entry,) = logs
    assert (entry["event"], entry["loop"], entry["row"]) == ("row.set_aside", "test", "odd")
    assert (entry["error"], entry["failures"], entry["again_s"]) == ("ValueError", 1, 30.0)
    assert entry["at"].startswith("tests/stores/test_set_aside.py:")
    assert "words" not in str(logs)


def test_its_pause_grows_and_ends_and_a_success_forgets_it(aside: SetAside, clock: Clock) -> None:
    for pause_s in (30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0):
        assert "odd" not in aside
        fail(aside)
        assert ("odd" in aside, "good" in aside, aside.ids()) == (True, False, ["odd"])
        clock.now += pause_s - 1
        assert "odd" in aside
        clock.now += 1
    assert (aside.ids(), len(aside)) == ([], 1), "it may be tried, and has not done better yet"
    with aside.row("odd"):
        pass
    assert len(aside) == 0
    fail(aside)
    clock.now += 30
    assert "odd" not in aside, "as at the first time"


def test_one_that_was_not_tried_again_counts_no_more(aside: SetAside, clock: Clock) -> None:
    fail(aside)
    clock.now += 31 + set_aside.LONGEST_PAUSE_S
    assert (len(aside), bool(aside)) == (0, True)


def test_the_memory_is_bounded(aside: SetAside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "MOST", 3)
    for number in range(5):
        fail(aside, f"row-{number}")
    assert aside.ids() == ["row-2", "row-3", "row-4"]


def test_a_store_that_is_away_is_no_fault_of_a_row(aside: SetAside) -> None:
    with pytest.raises(StoreUnavailable), aside.row("good"):
        raise StoreUnavailable("redis", "away")
    assert len(aside) == 0


async def test_of_many_only_the_odd_one_is_set_aside(aside: SetAside) -> None:
    worked: list[list[str]] = []

    async def work(rows: Sequence[str]) -> None:
        worked.append(list(rows))
        if "odd" in rows:
            raise ValueError

    assert await aside.each(["a", "b"], work) == 2
    assert await aside.each(["a", "odd", "b"], work) == 2
    assert worked == [["a", "b"], ["a", "odd", "b"], ["a"], ["odd"], ["b"]]
    assert aside.ids() == ["odd"]
    assert await aside.each(["odd"], work) == 0
    assert len(worked) == 6, "alone it is tried once"


async def test_many_rows_stop_where_a_store_is_away(aside: SetAside) -> None:
    async def work(rows: Sequence[str]) -> None:
        raise StoreUnavailable("database", "away")

    with pytest.raises(StoreUnavailable):
        await aside.each(["a", "b"], work)
    assert len(aside) == 0
