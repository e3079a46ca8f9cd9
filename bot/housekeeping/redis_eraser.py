"""Erasure of conversations from Redis: their keys, and their rows in the streams.

It scans all keys, so that keys of a conversation that are listed nowhere are found too.
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
from bot.streams import generations

REWRITE_TIMEOUT_S = 60.0
_BATCH = 500
# A deleted row of a stream is only marked while its neighbours exist: its text stays in memory, in
# snapshots and in the append-only file. Writing the stream again from the other rows removes it.
# KEYS: stream.
_COMPACT = Script("""
local rows = redis.call('XRANGE', KEYS[1], '-', '+')
if #rows == 0 then return 0 end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
local last = ''
for at = 1, #info, 2 do
  if info[at] == 'last-generated-id' then last = info[at + 1] end
end
local ttl = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
for _, row in ipairs(rows) do
  redis.call('XADD', KEYS[1], row[1], unpack(row[2]))
end
redis.call('XSETID', KEYS[1], last)
if ttl > 0 then redis.call('PEXPIRE', KEYS[1], ttl) end
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
    """Delete the keys and stream rows of conversations; return how many.

    Args:
        messages: Ids of their messages; those still in a stream are added.
    """
    message_ids, rows = set(messages), 0
    for shard in {redis_keys.shard_of(id_, shards) for id_ in conversations}:
        # The inbox first: a turn whose row is gone commits nothing.
        for stream in _STREAMS:
            rows += await _erase_from_stream(
                client, stream(shard), shard, conversations, message_ids
            )
    keys = 0
    async for key in client.scan_iter(match=f"{redis_keys.PREFIX}:*", count=1000):
        if _belongs(key, conversations, vendor_users, message_ids):
            keys += int(await guarded(client.delete(key)))
    # Who still has a token must not begin to fill the conversation anew with it.
    await generations.end(client, conversations)
    return rows + keys


async def rewrite_log(client: redis.asyncio.Redis) -> None:
    """Have the append-only file rewritten: it still contains what was deleted."""
    with contextlib.suppress(redis.exceptions.ResponseError):  # a managed service may forbid it
        nodes = await run_on_all_nodes(client, "INFO persistence")
        if not any(node.get("aof_enabled") for node in nodes):
            return
        async with asyncio.timeout(REWRITE_TIMEOUT_S):
            while not await _begin_rewrite(client):
                await _await_rewrite(client)
            await _await_rewrite(client)


async def _begin_rewrite(client: redis.asyncio.Redis) -> bool:
    """Begin a rewrite; False while one is in progress, which may include what was deleted since."""
    try:
        await run_on_all_nodes(client, "BGREWRITEAOF")
    except redis.exceptions.ResponseError as error:
        if "in progress" in str(error):
            return False
        raise
    return True


async def _await_rewrite(client: redis.asyncio.Redis) -> None:
    while await _is_rewriting(client):  # noqa: ASYNC110 - the server sends no notice
        await asyncio.sleep(0.02)


async def _is_rewriting(client: redis.asyncio.Redis) -> bool:
    nodes = await run_on_all_nodes(client, "INFO persistence")
    return any(n["aof_rewrite_in_progress"] or n["aof_rewrite_scheduled"] for n in nodes)


async def _erase_from_stream(
    client: redis.asyncio.Redis,
    stream: str,
    shard: int,
    conversations: Collection[str],
    message_ids: set[str],
) -> int:
    deleted, start = 0, "-"
    while True:
        rows: Any = await guarded(client.xrange(stream, min=start, count=_BATCH))
        for row, fields in rows:
            content = json.loads(fields["body"])
            # Rows for the recorder wrap a body like those of the others.
            body = content["body"] if isinstance(content.get("body"), dict) else content
            if body.get("conversation") in conversations:
                message_ids.add(str(body.get("id", "")))
                message_ids.update(str(part["body"].get("id", "")) for part in body.get("rows", ()))
                await guarded(client.hdel(redis_keys.attempts(shard), row))
                deleted += int(await guarded(client.xdel(stream, row)))
        if len(rows) < _BATCH:
            # Also where no row was deleted now: a finished turn has deleted its own.
            await guarded(batches_of(client).script(_COMPACT, [stream]))
            return deleted
        start = f"({rows[-1][0]}"


def _belongs(
    key: str,
    conversations: Collection[str],
    vendor_users: Collection[str],
    messages: Collection[str],
) -> bool:
    """Tell whether a key is about a conversation, one of its messages or its customer."""
    if any(id_ in key for id_ in conversations):
        return True
    if ":seen:" not in key:
        return False
    if any(re.search(rf"(?<!\w){re.escape(user)}(?!\w)", key) for user in vendor_users):
        return True
    return any(ending in messages for ending in _endings(key))


def _endings(key: str) -> Iterator[str]:
    """Yield `b-c` and `c` of `a:b-c`: some keys have words before the id of a message."""
    for match in re.finditer(r"[:-]", key):
        yield key[match.end() :]
