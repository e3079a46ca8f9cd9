"""An engine that is stopped past its lease and goes on: nothing of what it had begun is written."""

from __future__ import annotations

import asyncio
import signal
import urllib.error
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from chaos_herd import Herd
from running import CACHE, call, until

from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import connect_blocking

LEASE_S = 1.0
SHARDS = range(Settings().shards)
CUSTOMERS = 12
ROUNDS = 4


@pytest.fixture(scope="module")
def herd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Herd]:
    made = Herd(
        tmp_path_factory.mktemp("fencing"),
        {"engine": 2, "ingress": 1, "sender": 1, "recorder": 1, "housekeeper": 1},
        {"SAMVAD_CACHE_DIR": str(CACHE)},
        LEASE_S,
    )
    try:
        made.prepare()
        asyncio.run(made.start())
        yield made
    finally:
        made.stop()


def ask(herd: Herd, user: str, text: str) -> int:
    """Ask on the REST channel; return how many replies there were."""
    body = {"sender": user, "message": text, "message_id": uuid.uuid4().hex}
    url = f"{herd.ingresses[0]}/webhooks/rest/webhook"

    def answered() -> list[int]:
        try:
            answer = call("POST", url, body, timeout_s=40)
        except urllib.error.URLError:
            return []
        return [len(answer.json)] if answer.status == 200 else []

    return until(answered, within_s=60, what="an answer")[0]


def holders(herd: Herd) -> list[str]:
    """Names of the engines that hold a shard."""
    with connect_blocking(herd.environment["REDIS_URL"], decode_responses=True) as client:
        texts = [client.get(redis_keys.lease(shard, "engine")) for shard in SHARDS]
    return [str(text).partition("|")[0] for text in texts if text]


def test_a_stopped_engine_that_goes_on_commits_nothing_of_what_it_had_begun(herd: Herd) -> None:
    engine = herd.animal("engine-0")
    assert engine.process is not None
    told: list[int] = []
    with ThreadPoolExecutor(CUSTOMERS) as pool:
        for number in range(ROUNDS):
            # Half of the shards are its own: some turns are in its hands when it is stopped.
            until(
                lambda: any("engine-0" in name for name in holders(herd)),
                within_s=30,
                what="engine-0 has shards",
            )
            asked = [
                pool.submit(ask, herd, f"round-{number}-customer-{customer}", "Where is my order?")
                for customer in range(CUSTOMERS)
            ]
            until(lambda: under_way(herd), within_s=20, what="a turn begins")
            engine.process.send_signal(signal.SIGSTOP)
            try:
                until(
                    lambda: not any("engine-0" in name for name in holders(herd)),
                    within_s=30,
                    what="its shards move",
                )
            finally:
                engine.process.send_signal(signal.SIGCONT)
            told += [one.result() for one in asked]
    assert told == [2] * (ROUNDS * CUSTOMERS), "introduction and answer, once each"
    until(lambda: not under_way(herd) and drained(herd), within_s=30, what="nothing is under way")
    assert herd.logged("lease.lost") > 0
    with connect_blocking(herd.environment["REDIS_URL"], decode_responses=True) as client:
        left = [client.hgetall(redis_keys.attempts(shard)) for shard in SHARDS]
        assert left == [{}] * len(SHARDS), "nor does it leave anything behind"
    assert herd.count("select count(*) from messages where author = 'customer'") == len(told)
    assert herd.count("select count(*) from messages where author = 'bot'") == 2 * len(told)
    assert herd.count("select count(*) from conversations where state <> 'bot'") == 0


def under_way(herd: Herd) -> bool:
    with connect_blocking(herd.environment["REDIS_URL"]) as client:
        return any(client.xlen(redis_keys.inbox(shard)) for shard in SHARDS)


def drained(herd: Herd) -> bool:
    with connect_blocking(herd.environment["REDIS_URL"]) as client:
        return not any(
            client.xlen(key(shard))
            for key in (redis_keys.outbox, redis_keys.record)
            for shard in SHARDS
        )
