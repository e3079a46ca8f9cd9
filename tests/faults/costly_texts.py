"""Costly texts among ordinary conversations: what the ordinary ones feel of them.

`python tests/faults/costly_texts.py` starts a system, sends forty of the costliest texts there are
among two hundred ordinary conversations in a minute, and prints how long the ordinary ones waited.
It ends with 1 when something was lost, or the slowest hundredth waited for two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

if __name__ == "__main__":
    here = Path(__file__).resolve()
    sys.path[:0] = [str(here.parents[2]), str(here.parents[1])]

from running import System, running

LONGEST = 3990
"""Characters; the widget takes 4,000."""
UNITS = (
    "注文",
    "ordine",
    "12 ",
    "envío",
    "order",
    "awb ",
    "طلبي",
    "我的订单在哪里",
    "a@a.",
    "1 may ",
    "rs 5 ",
    "#a-1-",
    "ഓർഡർ",
    "where is it? ",
    "สินค้าของฉันอยู่ที่ไหน",
    "😀👨‍👩‍👧",
    "a1-b2-",
    "[[1]] ",
    "http://a.b/c ",
    "…. ",
)
ORDINARY = (
    "where is my order",
    "how long does a refund take?",
    "मेरा ऑर्डर कहाँ है",
    "¿dónde está mi pedido?",
    "how can i pay",
    "do you have a shop in town?",
)
MOST_P99_S = 2.0
PATIENCE_S = 180.0
PER_ADDRESS = 15
"""Visitors behind one address of loopback, as many browsers as one address may have open."""


@dataclass
class Waited:
    """Seconds from a message to the bot's first reply; None where none came."""

    ordinary: list[float | None] = field(default_factory=list)
    costly: list[float | None] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return sum(waited is None for waited in (*self.ordinary, *self.costly))

    def p(self, share: float) -> float:
        """Quantile of the ordinary ones, seconds."""
        known = sorted(waited for waited in self.ordinary if waited is not None)
        return known[min(len(known) - 1, int(share * len(known)))]


def texts(count: int) -> Iterator[str]:
    """Costly texts, each another one."""
    for number in range(count):
        unit = UNITS[number % len(UNITS)]
        yield (f"{number} " + unit * LONGEST)[:LONGEST]


async def _ask(session: aiohttp.ClientSession, ingress: str, text: str) -> float | None:
    """Be one visitor who writes one message; seconds until the bot says something."""
    api = f"{ingress}/webhooks/webchat"
    async with session.post(f"{api}/session", json={"site": "demo"}) as answer:
        token = (await answer.json())["token"]
    headers = {"Authorization": f"Bearer {token}"}
    body = {"id": uuid.uuid4().hex, "text": text}
    began, cursor = time.monotonic(), ""
    async with session.post(f"{api}/message", json=body, headers=headers) as answer:
        assert answer.status == 202, (answer.status, await answer.text())
    while time.monotonic() - began < PATIENCE_S:
        async with session.get(f"{api}/poll?after={cursor}", headers=headers) as answer:
            if answer.status != 200:
                await asyncio.sleep(0.2)
                continue
            found: dict[str, Any] = await answer.json()
        cursor = found["cursor"]
        messages = [f["message"] for f in found["frames"] if f["type"] == "message"]
        if any(message["author"] != "customer" for message in messages):
            return time.monotonic() - began
    return None


async def attack(ingress: str, costly: Sequence[str], ordinary: int, during_s: float) -> Waited:
    """Send costly texts all at once and ordinary ones spread over a time."""
    waited = Waited()
    everybody = len(costly) + ordinary
    sessions = [
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, local_addr=(f"127.0.7.{number + 1}", 0)),
            timeout=aiohttp.ClientTimeout(60),
        )
        for number in range(-(-everybody // PER_ADDRESS))
    ]
    rng = random.Random(7)

    async def one(number: int, text: str, after_s: float, into: list[float | None]) -> None:
        await asyncio.sleep(after_s)
        into.append(await _ask(sessions[number % len(sessions)], ingress, text))

    try:
        async with asyncio.TaskGroup() as tasks:
            for number, text in enumerate(costly):
                tasks.create_task(one(number, text, 0.0, waited.costly))
            for number in range(ordinary):
                text, after_s = rng.choice(ORDINARY), during_s * number / ordinary
                number += len(costly)
                tasks.create_task(one(number, text, after_s, waited.ordinary))
    finally:
        for session in sessions:
            await session.close()
    return waited


def leases_lost(system: System) -> int:
    """How often the engine's log says that a lease was lost."""
    logs = system.logs.glob("engine-*.log")
    return sum(log.read_text("utf-8", "replace").count("lease.lost") for log in logs)


def report(system: System, waited: Waited) -> str:
    dead = system.sql("select count(*) from dead_letters")[0][0]
    lost_leases = leases_lost(system)
    known = [w for w in waited.costly if w is not None]
    return (
        f"{len(waited.ordinary)} ordinary: median {waited.p(0.5):.2f} s,"
        f" p99 {waited.p(0.99):.2f} s; {len(waited.costly)} costly:"
        f" median {statistics.median(known):.2f} s, longest {max(known):.2f} s;"
        f" unanswered {waited.lost}, dead letters {dead}, leases lost {lost_leases}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--costly", type=int, default=40)
    parser.add_argument("--ordinary", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as system:
        costly = list(texts(options.costly))
        asyncio.run(attack(system.ingress, [], 3, 1.0))  # warm
        waited = asyncio.run(attack(system.ingress, costly, options.ordinary, options.seconds))
        print(report(system, waited))
    return int(waited.lost > 0 or waited.p(0.99) >= MOST_P99_S)


if __name__ == "__main__":
    sys.exit(main())
