"""Estimate of a customer's waiting time: median of earlier waits × place ÷ agents."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

LEAST_SAMPLES = 5
"""Least earlier waits for an estimate."""


def wait_s(samples: Sequence[float], place: int, agents: int) -> float | None:
    """Return the expected wait in seconds; None with too few samples or no agents.

    Args:
        samples: The last waits in seconds.
        place: 1 is next.
        agents: Number of agents who take conversations now.
    """
    if agents <= 0 or len(samples) < LEAST_SAMPLES:
        return None
    return statistics.median(samples) * place / agents
