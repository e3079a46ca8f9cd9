"""A turn: everything one message causes, collected first and committed at once.

The commit script runs only while this process holds the shard's lease and the owner has not
changed. It writes the tracker, the replies and the record rows and removes the message from the
inbox, or does nothing; a redelivery therefore repeats all or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import redis.asyncio

from bot.conversation.escalation import Decision
from bot.conversation.store import Conversation
from bot.dialogue.context import Context
from bot.dialogue.decide import Choice
from bot.dialogue.rasa_call import Tracker
from bot.dialogue.situation import Situation, in_language
from bot.errors import LeaseLost, TurnInterrupted
from bot.events import Event, EventData
from bot.stores import redis_keys
from bot.stores.packing import pack
from bot.stores.redis_batches import Script, batches_of
from bot.stores.redis_client import guarded
from bot.streams.attachments import icons_of
from bot.streams.delivery import files_of, message_row, turn_row
from bot.streams.messages import Inbound, Outbound
from bot.streams.ticket import Ticket

# KEYS: lease, inbox, outbox, record, tracker, owner, transition, attempts
# ARGV: holder|fence, inbox row, tracker JSON, ttl, owner JSON, owner version, number of outbox
#       rows, the outbox rows, then the row for the recorder.
# Returns 1 done, 0 lease lost, -1 the owner changed, 2 the row was committed before.
_COMMIT = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if #redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[2]) == 0 then return 2 end
if redis.call('EXISTS', KEYS[7]) == 1 then return -1 end
local copy = redis.call('GET', KEYS[6])
if copy and cjson.decode(copy)['version'] > tonumber(ARGV[6]) then return -1 end
redis.call('SET', KEYS[5], ARGV[3], 'EX', ARGV[4])
redis.call('SET', KEYS[6], ARGV[5], 'EX', ARGV[4])
local outs = tonumber(ARGV[7])
for i = 8, 7 + outs do redis.call('XADD', KEYS[3], '*', 'body', ARGV[i]) end
for i = 8 + outs, #ARGV do redis.call('XADD', KEYS[4], '*', 'body', ARGV[i]) end
redis.call('XDEL', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[8], ARGV[2])
return 1
""")


@dataclass
class Turn:
    """Collector of what a message causes."""

    inbound: Inbound
    conversation: Conversation
    context: Context
    tracker: Tracker
    content_version: int
    """Version of the content that the message is answered from."""
    language: str = "en"
    """Language of the answers."""
    decision: Decision | None = None
    reading: Mapping[str, Any] | None = None
    """Short form of the reading, stored with the customer's message for the desk."""
    entry: str = ""
    """Entry the message is about."""
    replies: list[Outbound] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    dead: dict[str, Any] | None = None
    """Dead letter to store, if this message was given up."""
    dropped: bool = False
    """Whether the message is counted but not stored, since its customer is blocked."""

    @classmethod
    def of(cls, situation: Situation) -> Turn:
        """Start a turn from its situation."""
        return cls(
            situation.inbound,
            situation.conversation,
            situation.context,
            situation.tracker,
            situation.content.number,
            situation.language,
        )

    def set_language(self, language: str) -> None:
        """Answer in this language from now on."""
        self.language = language
        self.conversation = in_language(self.conversation, language)

    def set_choice(self, choice: Choice) -> None:
        """Set what the bot chose to do about the message."""
        self.set_language(choice.language)
        self.decision = choice.decision
        self.reading = choice.understanding
        self.entry = choice.entry

    def event(self, data: EventData, *, ordinal: str = "", actor: str = "bot") -> None:
        """Note an event; its id follows from the message, so a replay writes it once."""
        self.events.append(
            Event.of(
                self.conversation,
                data,
                key=self.inbound.id,
                ordinal=ordinal,
                actor=actor,
                language=self.language,
                content_version=self.content_version,
                occurred_at=self.inbound.received_at,
            )
        )


async def commit(client: redis.asyncio.Redis, turn: Turn, ticket: Ticket) -> bool:
    """Write a turn completely or not at all.

    Returns:
        False when the row had been committed before (a redelivery); nothing is written then.

    Raises:
        LeaseLost: Another engine holds the shard.
        TurnInterrupted: The owner changed; read the conversation again and repeat the turn.
        StoreUnavailable: Redis is down; whether it wrote is unknown, and repeating is safe.
    """
    conversation = turn.conversation
    shard = ticket.shard
    body = pack({**turn.tracker, "context": turn.context.to_dict()})
    # A request that waits for a turn's replies must know which one is the last.
    count = {"of": len(turn.replies), "episode": conversation.episode_id}
    replies = [replace(reply, metadata={**reply.metadata, **count}) for reply in turn.replies]
    outbox = [pack(reply) for reply in replies]
    is_stored = turn.inbound.kind == "message" and not turn.dropped
    rows: list[tuple[str, object]] = [("message", _customer_row(turn))] if is_stored else []
    rows += [("file", row) for row in files_of(turn.inbound)] if is_stored else []
    rows += [("message", message_row(reply, conversation.episode_id)) for reply in turn.replies]
    # Events from before the language was known get it as well.
    rows += [("event", {**vars(event), "language": turn.language}) for event in turn.events]
    tracker = {"conversation": conversation.id, "body": body, "language": conversation.language}
    rows.append(("tracker", tracker))
    if turn.dead:
        rows.append(("dead", turn.dead))
    keys = [
        redis_keys.lease(shard, "engine"),
        redis_keys.inbox(shard),
        redis_keys.outbox(shard),
        redis_keys.record(shard),
        redis_keys.tracker(shard, conversation.id),
        redis_keys.owner(shard, conversation.id),
        redis_keys.transition(shard, conversation.id),
        redis_keys.attempts(shard),
    ]
    outcome = await guarded(
        batches_of(client).script(
            _COMMIT,
            keys,
            ticket.lease,
            ticket.row,
            body,
            redis_keys.CONVERSATION_TTL_S,
            conversation.to_json(),
            conversation.version,
            len(outbox),
            *outbox,
            turn_row(conversation.id, rows),
        )
    )
    if outcome == 0:
        raise LeaseLost(shard)
    if outcome == -1:
        raise TurnInterrupted(conversation.id)
    return bool(outcome == 1)


def _customer_row(turn: Turn) -> dict[str, Any]:
    inbound = turn.inbound
    return {
        "id": inbound.id,
        "conversation": inbound.conversation,
        "episode_id": turn.conversation.episode_id,
        "author": "customer",
        "agent": "",
        "text": inbound.text or icons_of(inbound.attachments),
        "language": str((turn.reading or {}).get("language", "")),
        "entry": turn.entry,
        "content_version": turn.content_version,
        "quick_replies": None,
        "reading": turn.reading,
        "in_reply_to": "",
        "created_at": inbound.received_at,
        "delivery": "",
    }
