"""Who goes first where processes share a core."""

from __future__ import annotations

import os

from running import System


def test_the_way_in_goes_before_thinking(system: System) -> None:
    pids = system.pids()
    niceness = {name: os.getpriority(os.PRIO_PROCESS, pid) for name, pid in pids.items()}
    assert niceness["engine-0"] > niceness["ingress"], niceness
    assert niceness["sender"] == niceness["valkey"] == niceness["ingress"], niceness
