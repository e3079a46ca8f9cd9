"""Take conversations out of Redis: their keys, and their rows in the streams.

A tool for erasing, so it scans: keys of conversations that nobody has listed are found too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import redis.asyncio
import redis.exceptions

from bot.stores import redis_keys
from bot.stores.redis_batches import Script, batches_of
from bot.stores.redis_client import guarded, run_on_all_nodes

REWRITE_TIMEOUT_S = 60.0
_BATCH = 500
# A deleted row of a stream is only marked as such while its neighbours live: its words stay in
# memory, in snapshots and in the append-only file. Adding the living ones again leaves no trace.
# KEYS: stream.
_COMPACT = Script("""
local rows = redis.call('XRANGE', KEYS[1], '-', '+')
if #rows == 0 then return 0 end
local told = redis.call('XINFO', 'STREAM', KEYS[1])
local last = ''
for at = 1, #told, 2 do
  if told[at] == 'last-generated-id' then last = told[at + 1] end
end
local life = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
for _, row in ipairs(rows) do
  redis.call('XADD', KEYS[1], row[1], unpack(row[2]))
end
redis.call('XSETID', KEYS[1], last)
if life > 0 then redis.call('PEXPIRE', KEYS[1], life) end
return #rows
""")
_STREAMS = (redis_keys.inbox, redis_keys.outbox, redis_keys.record, redis_keys.replies)


async def erase(
    client: redis.asyncio.Redis,
    shards: int,
    conversations: Collection[str],
    vendor_users: Collection[str],
    messages: Collection[str],
) -> int:
    """Delete what belongs to conversations; return the number of keys and stream rows.

    Args:
        messages: Ids of their messages; those still in a stream are added.
    """
    known, rows = set(messages), 0
    for shard in {redis_keys.shard_of(one, shards) for one in conversations}:
        # The inbox first: a turn whose row is gone commits nothing.
        for stream in _STREAMS:
            rows += await _from_stream(client, stream(shard), shard, conversations, known)
    keys = 0
    async for key in client.scan_iter(match=f"{redis_keys.PREFIX}:*", count=1000):
        if _names(key, conversations, vendor_users, known):
            keys += int(await guarded(client.delete(key)))
    return rows + keys


async def rewrite_log(client: redis.asyncio.Redis) -> None:
    """Have an append-only file written anew: it holds what was deleted until then."""
    with contextlib.suppress(redis.exceptions.ResponseError):  # a managed service may forbid it
        told = await run_on_all_nodes(client, "INFO persistence")
        if not any(node.get("aof_enabled") for node in told):
            return
        async with asyncio.timeout(REWRITE_TIMEOUT_S):
            while not await _begun(client):
                await _rewritten(client)
            await _rewritten(client)


async def _begun(client: redis.asyncio.Redis) -> bool:
    """Begin a rewrite; False while one is under way, which may hold what was deleted since."""
    try:
        await run_on_all_nodes(client, "BGREWRITEAOF")
    except redis.exceptions.ResponseError as error:
        if "in progress" in str(error):
            return False
        raise
    return True


async def _rewritten(client: redis.asyncio.Redis) -> None:
    while await _rewriting(client):  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.02)


async def _rewriting(client: redis.asyncio.Redis) -> bool:
    told = await run_on_all_nodes(client, "INFO persistence")
    return any(one["aof_rewrite_in_progress"] or one["aof_rewrite_scheduled"] for one in told)


async def _from_stream(
    client: redis.asyncio.Redis,
    stream: str,
    shard: int,
    conversations: Collection[str],
    known: set[str],
) -> int:
    gone, start = 0, "-"
    while True:
        found: Any = await guarded(client.xrange(stream, min=start, count=_BATCH))
        for row, fields in found:
            told = json.loads(fields["body"])
            # Rows for the recorder wrap what the others are.
            body = told["body"] if isinstance(told.get("body"), dict) else told
            if body.get("conversation") in conversations:
                known.add(str(body.get("id", "")))
                known.update(str(one["body"].get("id", "")) for one in body.get("rows", ()))
                await guarded(client.hdel(redis_keys.attempts(shard), row))
                gone += int(await guarded(client.xdel(stream, row)))
        if len(found) < _BATCH:
            # Whether or not a row went now: a turn that is done has deleted its own.
            await guarded(batches_of(client).script(_COMPACT, [stream]))
            return gone
        start = f"({found[-1][0]}"


def _names(
    key: str,
    conversations: Collection[str],
    vendor_users: Collection[str],
    messages: Collection[str],
) -> bool:
    """Tell whether a key speaks of a conversation, of one of its messages or of its customer."""
    if any(one in key for one in conversations):
        return True
    if ":seen:" not in key:
        return False
    if any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", key) for one in vendor_users):
        return True
    return any(ending in messages for ending in _endings(key))


def _endings(key: str) -> Iterator[str]:
    """`a:b-c` → `b-c`, `c`: markers put words of their own before the id of a message."""
    for found in re.finditer(r"[:-]", key):
        yield key[found.end() :]
