"""The whole way on a Redis Cluster of three nodes: answers, handoff, live desk, erasure, and a
node that dies and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis_cluster import Cluster, cluster
from running import DeskAgent, System, Visitor, running, until

from bot.errors import StoreUnavailable
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import connect, connect_blocking, guarded

PERSON = "I want to talk to a person"
WORD = "Quittenmarder"


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture(scope="module")
def system(nodes: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of this module's own, on the cluster."""
    with running(tmp_path_factory.mktemp("cluster"), REDIS_URL=nodes.url) as started:
        yield started


def keys_of(nodes: Cluster) -> list[list[str]]:
    """All keys, node by node."""
    found = []
    for port in nodes.ports:
        with redis.Redis("127.0.0.1", port, decode_responses=True) as client:
            found.append(list(client.scan_iter(count=1000)))
    return found


def misdirected(nodes: Cluster) -> list[str]:
    """What each node says of commands it was sent that were another's."""
    found = []
    for port in nodes.ports:
        with redis.Redis("127.0.0.1", port, decode_responses=True) as node:
            found.append(str(node.info("errorstats").get("errorstat_MOVED", "")))
    return found


async def test_many_may_ask_before_the_nodes_are_known(nodes: Cluster, tmp_path: Path) -> None:
    client = connect(Settings(state_dir=tmp_path, redis_url=nodes.url))
    streams = [redis_keys.replies(shard) for shard in range(64)]
    try:
        found = await asyncio.gather(
            *(guarded(client.xread({stream: "0-0"}, block=10)) for stream in streams)
        )
    finally:
        await client.aclose()
    assert not any(found)
    assert not any(misdirected(nodes))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("unable to perform operation on <TCPTransport>; the handler is closed"),
        AttributeError("no attribute", name="writelines", obj=None),
    ],
)
async def test_a_connection_closed_beneath_a_command_is_redis_away(error: Exception) -> None:
    async def command() -> None:
        raise error

    with pytest.raises(StoreUnavailable):
        await guarded(command())


async def test_an_error_of_ours_stays_what_it_is() -> None:
    async def command() -> None:
        raise RuntimeError("generator didn't stop")

    with pytest.raises(RuntimeError):
        await guarded(command())


def test_answers_and_handoff(system: System, nodes: Cluster) -> None:
    visitors = [Visitor(system) for _ in range(6)]
    for visitor in visitors:
        visitor.ask("Where is my order?", 2)
    shards = [[key for key in keys if "{s" in key] for keys in keys_of(nodes)]
    assert all(shards), "every node has a part of the work"

    visitor, agent = visitors[0], DeskAgent(system)
    visitor.ask(PERSON)
    assert agent.act(visitor.conversation, "claim").status == 200
    visitor.wait(1)
    assert agent.act(visitor.conversation, "reply", text="I am here.").status == 200
    (reply,) = visitor.wait(1)
    assert (reply["author"], reply["text"]) == ("agent", "I am here.")
    assert visitor.state() == "assigned"
    assert agent.act(visitor.conversation, "return").status == 200
    until(lambda: visitor.state() == "bot", within_s=20, what="the bot has it again")
    until(system.drained, within_s=20, what="nothing is under way")
    assert not any(misdirected(nodes))


def test_a_published_version_reaches_the_engines(system: System) -> None:
    told = system.run("content", "publish")
    assert told.returncode == 0, told.stderr
    assert system.health()["content"]["live"] >= 1


def test_an_erased_customer_is_on_no_node(system: System, nodes: Cluster) -> None:
    who = "customer-wxq-90417"
    system.rest(who, f"where is my order {WORD}?")
    until(system.drained, within_s=20, what="nothing is under way")
    (conversation,) = {
        row[0] for row in system.sql("select id from conversations where vendor_user = ?", who)
    }
    assert any(conversation in key for keys in keys_of(nodes) for key in keys)
    erased = system.run("customer", "erase", f"rest:{who}")
    assert erased.returncode == 0, erased.stderr
    assert not [key for keys in keys_of(nodes) for key in keys if conversation in key]
    files = [path for path in nodes.folder.rglob("*") if path.is_file()]
    assert not [path.name for path in files if WORD.encode() in path.read_bytes()]


def test_a_node_that_dies_loses_nothing(system: System, nodes: Cluster) -> None:
    visitors = [Visitor(system) for _ in range(4)]
    for visitor in visitors:
        visitor.ask("Where is my order?", 2)
    nodes.kill_node(1)
    nodes.start_node(1)
    with connect_blocking(nodes.url) as client:

        def agreed() -> bool:
            try:
                told = client.execute_command("CLUSTER INFO", target_nodes="all")
                client.get(redis_keys.CONTENT_LIVE)
                return all(one["cluster_state"] == "ok" for one in told.values())
            except redis.RedisError:
                return False

        until(agreed, within_s=60, what="the cluster agrees again")
    for visitor in visitors:

        def asked(visitor: Visitor = visitor) -> bool:
            return bool(visitor.send("How long does a refund take?"))

        until(asked, within_s=30, what="a message is taken")
        assert visitor.wait(1)
