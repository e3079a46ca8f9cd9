"""Two builds of our own, compared round by round."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.beside import FIGURES, compared


def run(**changed: float) -> dict[str, Any]:
    return {**dict.fromkeys(FIGURES, 10.0), "failed": 0, "memory_mb": {}, **changed}


def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    now = [run(messages_per_s=rate) for rate in (100, 50, 10)]
    before = [run(messages_per_s=rate) for rate in (100, 25, 20)]
    found = compared({"now": now, "before": before})
    assert found["rounds"]["messages_per_s"] == [1.0, 2.0, 0.5]
    assert found["ratio"]["messages_per_s"] == 1.0
    assert found["median"]["now"]["messages_per_s"] == 50
    assert found["count"] == 3


def test_messages_that_failed_are_told() -> None:
    found = compared({"now": [run(failed=2), run(failed=1)], "before": [run(), run()]})
    assert found["failed"] == {"now": 3, "before": 0}


def test_a_missing_round_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        compared({"now": [run()], "before": []})
