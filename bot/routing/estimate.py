"""How long a wait will be: median of earlier waits × place ÷ people."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

LEAST_SAMPLES = 5
"""With fewer earlier waits nobody is promised a time."""


def wait_s(samples: Sequence[float], place: int, people: int) -> float | None:
    """Expected wait in seconds; None with too few samples or nobody there.

    Args:
        samples: The last waits in seconds.
        place: 1 is next.
        people: Who take conversations now.
    """
    if people <= 0 or len(samples) < LEAST_SAMPLES:
        return None
    return statistics.median(samples) * place / people
