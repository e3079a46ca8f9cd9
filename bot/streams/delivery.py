"""Replies into the outbox for everybody but the bot's own turn, and rows for the recorder.

The bot's replies enter with their turn (bot.dialogue.turn); this module is for agents at the desk,
notices and the housekeeper. One script adds the reply, its message row and its events, and does
nothing the second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import redis.asyncio

from bot.events import Event
from bot.stores import redis_keys
from bot.stores.packing import pack, unpack
from bot.stores.redis_batches import Script, batches_of
from bot.stores.redis_client import guarded
from bot.streams.attachments import icons_of, row_of
from bot.streams.messages import Inbound, Outbound

AGENT_CHARS = 64
"""Longest agent's name in `messages.agent`; PostgreSQL refuses a longer one."""

# KEYS: seen, outbox, record, owner. ARGV: seen ttl, outbound, then rows for the recorder.
# A blocked customer (bot.desk.conversation.blocking) is sent nothing, whoever writes.
_POST = Script("""
local copy = redis.call('GET', KEYS[4])
if copy and cjson.decode(copy)['blocked'] == true then return 0 end
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then return 0 end
if ARGV[2] ~= '' then redis.call('XADD', KEYS[2], '*', 'body', ARGV[2]) end
for i = 3, #ARGV do redis.call('XADD', KEYS[3], '*', 'body', ARGV[i]) end
return 1
""")


def turn_row(conversation: str, rows: Sequence[tuple[str, object]]) -> str:
    """Make one record row of all rows of a turn, (kind, body) each."""
    row_dicts = [{"kind": kind, "body": body} for kind, body in rows]
    return pack({"kind": "turn", "body": {"conversation": conversation, "rows": row_dicts}})


def rows_in(text: str) -> list[dict[str, Any]]:
    """Read a row of the record stream: one `{"kind", "body"}`, or several when it is a turn's."""
    row: dict[str, Any] = unpack(text)
    return list(row["body"]["rows"]) if row["kind"] == "turn" else [row]


def record_row(kind: str, body: object) -> str:
    """Make a record row: `event`, `message`, `file`, `tracker`, `delivery` or `dead`."""
    return pack({"kind": kind, "body": body})


def message_row(outbound: Outbound, episode_id: str) -> dict[str, Any]:
    """Shape a reply as a row of `messages`."""
    return {
        "id": outbound.id,
        "conversation": outbound.conversation,
        "episode_id": episode_id,
        "author": outbound.author,
        "agent": outbound.agent[:AGENT_CHARS],
        "text": outbound.text or icons_of(outbound.attachments),
        "language": outbound.language,
        "entry": outbound.entry,
        "content_version": outbound.content_version,
        "quick_replies": [
            {
                "id": q.id,
                "title": q.title,
                "entry": q.entry,
                "action": q.action,
                "position": q.position,
                "content_version": q.content_version,
            }
            for q in outbound.quick_replies
        ]
        or None,
        "reading": _translation(outbound),
        "in_reply_to": outbound.in_reply_to,
        "created_at": outbound.created_at,
        "delivery": "queued",
    }


def files_of(message: Inbound | Outbound) -> list[dict[str, Any]]:
    """Shape a message's files as rows of `files`."""
    if isinstance(message, Inbound):
        author, at = "customer", message.received_at
    else:
        author, at = "agent", message.created_at
    return [
        row_of(
            attachment,
            conversation=message.conversation,
            message=message.id,
            position=position,
            author=author,
            created_at=at,
            origin=(message.channel, message.account),
        )
        for position, attachment in enumerate(message.attachments)
    ]


def _translation(outbound: Outbound) -> dict[str, Any] | None:
    """Return the original words of a machine translation, for the desk; else None."""
    metadata = outbound.metadata
    if not metadata.get("machine"):
        return None
    return {key: metadata[key] for key in ("machine", "provider", "original", "original_language")}


async def send(
    client: redis.asyncio.Redis,
    shards: int,
    outbound: Outbound,
    *,
    episode_id: str,
    events: Sequence[Event] = (),
) -> bool:
    """Put a reply into the outbox.

    Returns:
        False when a reply with this id is in the outbox already or the customer is blocked; nothing
        is done then.

    Raises:
        StoreUnavailable: Redis is down; nothing was stored.
    """
    shard = redis_keys.shard_of(outbound.conversation, shards)
    with_episode = replace(outbound, metadata={**outbound.metadata, "episode": episode_id})
    rows = [record_row("message", message_row(outbound, episode_id))]
    rows += [record_row("file", row) for row in files_of(outbound)]
    rows += [record_row("event", event) for event in events]
    keys = [
        redis_keys.seen(shard, outbound.id),
        redis_keys.outbox(shard),
        redis_keys.record(shard),
        redis_keys.owner(shard, outbound.conversation),
    ]
    arguments = (redis_keys.SEEN_TTL_S, pack(with_episode), *rows)
    return bool(await guarded(batches_of(client).script(_POST, keys, *arguments)))
