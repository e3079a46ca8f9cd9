"""Prove that no message is lost, doubled or disordered while everything breaks (`make chaos`).

    python tests/faults/chaos.py [--short] [--seed N] [--sqlite] [--keep FOLDER]

Engines, ingresses, senders, recorder and Redis are killed and stopped at random, the vendors'
servers refuse, limit, time out and hang up, while customers talk and deliveries come twice, in
batches and out of order. Afterwards each customer must have heard what they had to, once, in order.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
for _folder in (HERE, HERE.parent, HERE.parent.parent):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import aiohttp  # noqa: E402
import postgresql_server  # noqa: E402
import redis.asyncio  # noqa: E402
from chaos_herd import Herd  # noqa: E402
from chaos_script import Conversation, Courier, Message, talk, write  # noqa: E402
from chaos_vendors import BadBotApi, BadDay, BadGraph, Mood  # noqa: E402
from chaos_verdict import Verdict, judge_replies, judge_stores  # noqa: E402
from running import CACHE, REPO  # noqa: E402
from vendors.graph_server import APP_SECRET, PAGE, TOKEN  # noqa: E402
from vendors.serving import serving  # noqa: E402
from vendors.telegram_server import TOKEN as BOT_TOKEN  # noqa: E402

from bot.content.load import load_folder  # noqa: E402
from bot.settings import Settings  # noqa: E402
from bot.stores import redis_keys  # noqa: E402

BOT, SECRET = "MelaBot", "s3cret_-A"


@dataclass(frozen=True)
class Size:
    """How much of it."""

    conversations: int
    messages: int
    """A conversation."""
    deliveries: int
    """HTTP requests of vendors at least."""
    processes: dict[str, int]
    over_s: float
    """Customers begin within these seconds."""
    fault_every_s: tuple[float, float]
    lease_s: float
    settle_s: float
    """Longest wait for the end of everything once all was delivered."""
    mood: Mood


FULL = Size(
    200,
    10,
    5000,
    {"engine": 3, "ingress": 2, "sender": 2, "recorder": 2, "housekeeper": 2},
    150.0,
    (0.5, 3.0),
    2.0,
    180.0,
    Mood(),
)
SHORT = Size(
    10,
    4,
    120,
    {"engine": 2, "ingress": 2, "sender": 2, "recorder": 1, "housekeeper": 1},
    4.0,
    (0.3, 0.9),
    1.0,
    60.0,
    Mood(error=0.05, limited=0.02, cut_after=0.04, silent_before=0, silent_after=0),
)


@dataclass
class Outcome:
    """A finished run."""

    verdict: Verdict
    table: str


@contextlib.contextmanager
def database(folder: Path, *, sqlite: bool) -> Iterator[str]:
    """Address of an empty database: PostgreSQL where there is one, unless SQLite is asked for."""
    binaries = None if sqlite else postgresql_server.folder_of_binaries()
    if binaries is None:
        yield f"sqlite:///{folder / 'samvad.sqlite3'}"
        return
    server = postgresql_server.Server.start(binaries)
    try:
        yield server.url(server.create())
    finally:
        server.stop()


async def run(size: Size, seed: int, folder: Path, sql_url: str) -> Outcome:
    """Talk, break, and judge."""
    dice = random.Random(seed)
    day = BadDay(random.Random(seed + 1), size.mood)
    phone = BadDay(random.Random(seed + 2), size.mood)
    graph, bot_api = BadGraph(day), BadBotApi(phone)
    async with serving(graph), serving(bot_api):
        herd = Herd(
            folder,
            size.processes,
            {
                "DATABASE_URL": sql_url,
                "SAMVAD_CACHE_DIR": str(CACHE),
                "FACEBOOK_GRAPH_URL": graph.graph_url,
                "FACEBOOK_APP_SECRET": APP_SECRET,
                "FACEBOOK_VERIFY_TOKEN": "verify-me",
                "FACEBOOK_PAGE_TOKENS": f"{PAGE}={TOKEN}",
                "TELEGRAM_API_URL": bot_api.url,
                "TELEGRAM_BOTS": f"{BOT}={BOT_TOKEN}:{SECRET}",
            },
            size.lease_s,
        )
        began = time.monotonic()
        await asyncio.to_thread(herd.prepare)
        stubborn: list[str] = []
        try:
            await herd.start()
            ready_s = time.monotonic() - began
            outcome = await _storm(size, dice, herd, day, phone, sql_url, seed, ready_s)
        finally:
            stubborn = await asyncio.to_thread(herd.stop)
        for name in stubborn:
            outcome.verdict.add("stubborn", f"{name} did not stop by itself")
        return outcome


async def _storm(
    size: Size,
    dice: random.Random,
    herd: Herd,
    day: BadDay,
    phone: BadDay,
    sql_url: str,
    seed: int,
    ready_s: float,
) -> Outcome:
    settings = Settings()
    content = load_folder(REPO / "data" / "faq", settings.languages)
    talks = write(content, size.conversations, size.messages, dice, PAGE, BOT)
    total = sum(len(talk.messages) for talk in talks)
    began = time.monotonic()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as session:
        courier = Courier(session, herd.ingresses, dice, SECRET, BOT, total, size.deliveries)
        keeper = asyncio.create_task(herd.keep())
        tormentor = asyncio.create_task(herd.maltreat(random.Random(seed + 3), size.fault_every_s))
        try:
            await asyncio.gather(
                *(
                    talk(one, courier, _heard(one, day, phone), dice, dice.uniform(0, size.over_s))
                    for one in talks
                )
            )
            await courier.finished()
        finally:
            tormentor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await tormentor
            if tormentor.done() and not tormentor.cancelled():
                tormentor.result()
        day.calm = phone.calm = True
        delivered_s = time.monotonic() - began
        await herd.until_ready()
        settled = await _settle(size, herd, talks, day, phone)
        settled_s = time.monotonic() - began
        keeper.cancel()
    verdict = Verdict()
    taken = defaultdict(list)
    for channel, where in (("facebook", day), ("telegram", phone)):
        for one in where.taken:
            taken[f"{channel}:{one.user}"].append(one)
    hold_s = settings.reorder_hold_ms / 1000
    judge_replies(verdict, talks, taken, herd.faults, hold_s)
    judge_stores(verdict, talks, herd.environment["REDIS_URL"], sql_url, settings.shards)
    if not settled:
        verdict.add("stuck", f"not settled within {size.settle_s:.0f} s")
    table = _table(
        verdict,
        talks,
        courier,
        herd,
        day,
        phone,
        {"ready": ready_s, "delivered": delivered_s, "settled": settled_s},
        seed,
    )
    return Outcome(verdict, table)


def _heard(one: Conversation, day: BadDay, phone: BadDay) -> Callable[[Message], bool]:
    def look(message: Message) -> bool:
        where = phone if message.number else day
        return any(
            one.our_id(message) in taken.metadata
            or (bool(message.expected) and taken.text.startswith(message.expected))
            for taken in where.arrived(one.user)
        )

    return look


async def _settle(
    size: Size, herd: Herd, talks: list[Conversation], day: BadDay, phone: BadDay
) -> bool:
    """Wait until every customer has heard what they must and nothing is under way."""
    client = redis.asyncio.Redis.from_url(herd.environment["REDIS_URL"])
    deadline = time.monotonic() + size.settle_s
    shards = range(Settings().shards)
    try:
        while time.monotonic() < deadline:
            lengths = [
                await client.xlen(key(shard))
                for shard in shards
                for key in (redis_keys.inbox, redis_keys.outbox, redis_keys.record)
            ]
            if not any(lengths):
                # Once more, a moment later: a row may have been on its way between two streams.
                await asyncio.sleep(1.0)
                if not any([await client.xlen(redis_keys.record(shard)) for shard in shards]):
                    return True
            await asyncio.sleep(0.2)
    finally:
        await client.aclose()
    return False


def _table(
    verdict: Verdict,
    talks: list[Conversation],
    courier: Courier,
    herd: Herd,
    day: BadDay,
    phone: BadDay,
    times: dict[str, float],
    seed: int,
) -> str:
    did = Counter(f"{fault.role} {fault.kind}" for fault in herd.faults)
    mishaps = Counter(day.mishaps) + Counter(phone.mishaps)
    rows: list[tuple[str, object]] = [
        ("seed", seed),
        ("conversations", len(talks)),
        ("messages", sum(len(talk.messages) for talk in talks)),
        ("deliveries (HTTP)", courier.made),
        ("  not answered 200", sum(courier.refused.values())),
        ("faults", ", ".join(f"{n}× {what}" for what, n in sorted(did.items()))),
        ("vendor mishaps", ", ".join(f"{n}× {what}" for what, n in sorted(mishaps.items()))),
        *((f"  {name}", f"{seconds:.0f} s") for name, seconds in times.items()),
        ("expected replies sent", verdict.counts.pop("replies", 0)),
        ("sent twice: vendor cut off", verdict.counts.pop("doubled, vendor cut off", 0)),
        ("sent twice: sender died", verdict.counts.pop("doubled, sender died", 0)),
        ("overtaken and put right", verdict.swapped),
        ("too late to be waited for", verdict.late),
    ]
    for name in ("lost", "doubled", "disordered", "unexpected", "stuck", "dead letters"):
        rows.append((name.upper(), verdict.counts.pop(name, 0)))
    rows += [(name.upper(), count) for name, count in verdict.counts.items()]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value}" for name, value in rows]
    return "\n".join([*lines, *(f"  ! {told}" for told in verdict.wrong)])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--sqlite", action="store_true", help="also where there is a PostgreSQL")
    parser.add_argument("--keep", type=Path, help="folder for the state and the logs")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        url = stack.enter_context(database(folder, sqlite=given.sqlite))
        size = SHORT if given.short else FULL
        outcome = asyncio.run(run(size, given.seed, folder, url))
    print(outcome.table)
    return 0 if outcome.verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
