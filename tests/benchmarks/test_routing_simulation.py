"""The simulation of a day of routing, in small: the figures of the page come from the same code."""

from __future__ import annotations

from benchmarks import routing


def test_everybody_is_served_and_nobody_gets_too_many() -> None:
    found = routing.simulate(agents=20, conversations=400)
    assert len(found.waited) == 400
    assert found.over == 0
    assert found.most > 5, "a queue that never forms shows nothing"
    assert sum(found.whys.values()) == 400


def test_a_simulated_day_is_the_same_every_time() -> None:
    one, other = (routing.simulate(agents=10, conversations=120) for _ in range(2))
    assert one.waited == other.waited


def test_a_burst_fills_every_place() -> None:
    assert routing.burst(agents=10, conversations=500)["assigned"] == 30
