"""Costly texts among ordinary ones: everybody is answered, and the costly ones wait.

How long the ordinary ones wait is measured by `make attack`, not asserted here.
"""

from __future__ import annotations

import asyncio
import statistics

from costly_texts import attack, leases_lost, texts
from running import System


def test_costly_texts_lose_nothing_and_no_lease(system: System) -> None:
    waited = asyncio.run(attack(system.ingress, list(texts(20)), 20, 10.0))
    assert waited.lost == 0, waited
    assert system.sql("select count(*) from dead_letters")[0][0] == 0
    assert leases_lost(system) == 0
    ordinary = statistics.median(w for w in waited.ordinary if w is not None)
    assert ordinary < max(w for w in waited.costly if w is not None), "who costs much waits"
