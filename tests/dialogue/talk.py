"""A customer's side of a conversation, and what can be seen of it behind the scenes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import builders
import redis.asyncio
import sqlalchemy as sa

from bot.content.models import Content, Reply
from bot.content.texts import SystemTexts
from bot.conversation import store
from bot.conversation.store import Conversation
from bot.dialogue.engine import Engine
from bot.dialogue.handler import MessageHandler
from bot.language.detect import detect
from bot.settings import Settings, Thresholds
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.tables import events
from bot.streams.lease import Leases
from bot.streams.messages import Inbound, Outbound, QuickReply
from bot.streams.recorder import Recorder
from bot.streams.ticket import Ticket
from bot.understanding.intents.prediction import Prediction
from bot.understanding.mood.sentiment import SentimentReading
from bot.understanding.service import NOTHING_SURE, Glance, Knowledge, Reading

LEASE = "engine-0|1"
LIMITS = Thresholds(confidence=0.4, margin=0.1)
"""Of their own, so that tuning the defaults changes no test of what follows from them."""
CONTENT = Content(
    (
        builders.entry(
            "order-status",
            title={"en": "Order status", "hi": "ऑर्डर कहाँ है"},
            answers={"en": "It is on its way.", "hi": "रास्ते में है।"},
            quick_replies=(Reply("refund-time"), Reply("person")),
        ),
        builders.entry(
            "refund-time",
            title={"en": "Refund time", "hi": "रिफ़ंड कब"},
            answers={"en": "Five days.", "hi": "पाँच दिन।"},
        ),
        builders.entry(
            "lost-card", policy="person", answers={"en": "Block it at once.", "hi": "ब्लॉक करें।"}
        ),
    ),
    7,
)


@dataclass(frozen=True)
class Meant:
    """What the scripted understanding makes of a text."""

    label: str | None
    confidence: float = 0.9
    margin: float = 0.8
    ranking: tuple[tuple[str, float], ...] = ()
    negative: float = 0.1
    also: str = ""


SCRIPT: Mapping[str, Meant] = {
    "where is my order": Meant("faq/order-status"),
    "मेरा ऑर्डर अभी तक क्यों नहीं आया है": Meant("faq/order-status"),
    "when is my refund": Meant("faq/refund-time"),
    "my card is lost": Meant("faq/lost-card"),
    "order or refund": Meant(
        "faq/order-status", 0.5, 0.01, (("faq/order-status", 0.5), ("faq/refund-time", 0.49))
    ),
    "where is my order? my card is lost": Meant("faq/order-status", also="lost-card"),
    "my card is lost. where is my order": Meant("faq/lost-card", also="order-status"),
    "where is my order? when is my refund": Meant("faq/order-status", also="refund-time"),
    "hello": Meant("greet"),
    "change language": Meant("change_language"),
    "another language please": Meant("change_language"),
    "yes": Meant("affirm"),
    "no": Meant("deny"),
    "talk to a person": Meant("ask_human"),
    "this is a disgrace": Meant("angry", negative=0.99),
    "start over": Meant("start_over"),
}


class ScriptedUnderstander:
    """Knows the texts of `SCRIPT`; all others are beyond it."""

    def __init__(self) -> None:
        self.broken = False
        self.meanwhile: Any = None
        """Called in the middle of reading: what others do at that moment."""

    def glance(self, text: str, knowledge: Knowledge, unrest: float = 0.0) -> Glance:
        return NOTHING_SURE

    def read(
        self, text: str, knowledge: Knowledge, glance: Glance = NOTHING_SURE, budget: object = None
    ) -> Reading:
        if self.broken:
            raise RuntimeError("the model is gone")
        if self.meanwhile:
            self.meanwhile()
        meant = SCRIPT.get(text.lower().strip(" ?!."), Meant(None, 0.05, 0.01))
        best = meant.label or "faq/refund-time"
        ranking = meant.ranking or ((best, meant.confidence),)
        mood = SentimentReading("neutral", meant.negative, 0.0, -meant.negative)
        return Reading(
            detect(text),
            Prediction(meant.label, best, meant.confidence, meant.margin, 0.4, ranking, ()),
            mood,
            (),
            meant.also,
        )

    def command(self, text: str) -> str:
        return {"cancel": "cancel", "person": "ask_human"}.get(text.lower(), "")


@dataclass
class FixedCatalog:
    """Content that does not change unless a test says so."""

    knowledge: Knowledge


class Talk:
    """Sends messages through a handler and shows what came of them."""

    def __init__(
        self, settings: Settings, database: Database, client: redis.asyncio.Redis, engine: Engine
    ) -> None:
        self.settings = replace(settings, thresholds=LIMITS)
        self.database = database
        self.redis = client
        self.engine = engine
        self.understander = ScriptedUnderstander()
        self.catalog = FixedCatalog(Knowledge(CONTENT, index=None))  # type: ignore[arg-type]
        self.texts = SystemTexts.load(settings.default_language)
        self.handler = self.handler_on(client)
        self.leases = Leases(client, "recorder", "recorder", settings.shards, 60.0)
        self.recorder = Recorder(client, self.leases, database)
        self._n = 100

    def handler_on(self, client: redis.asyncio.Redis) -> MessageHandler:
        return MessageHandler(
            self.settings,
            self.database,
            client,
            self.engine,
            self.understander,
            self.catalog,  # type: ignore[arg-type]
        )

    async def prepare(self) -> None:
        await self.leases.step()
        for shard in range(self.settings.shards):
            await self.redis.set(redis_keys.lease(shard, "engine"), LEASE)

    def message(
        self, text: str = "", *, user: str = "ann", after_s: float = 1, **more: Any
    ) -> Inbound:
        """Make the next message, a second after the one before."""
        self._n += 1
        self._clock = getattr(self, "_clock", builders.NOW) + after_s
        return builders.inbound(text, user=user, n=self._n, received_at=self._clock, **more)

    async def arrive(self, message: Inbound) -> Ticket:
        shard = redis_keys.shard_of(message.conversation, self.settings.shards)
        body = json.dumps(message.to_dict(), ensure_ascii=False)
        row = await self.redis.xadd(redis_keys.inbox(shard), {"body": body})
        return Ticket(shard, row, LEASE)

    async def say(self, text: str = "", **more: Any) -> list[Outbound]:
        """Send a message and return the replies of its turn."""
        message = self.message(text, **more)
        await self.handler.handle(message, await self.arrive(message))
        return await self.replies(message)

    async def tap(self, button: QuickReply | str, **more: Any) -> list[Outbound]:
        return await self.say(tap=button if isinstance(button, str) else button.id, **more)

    async def replies(self, message: Inbound) -> list[Outbound]:
        shard = redis_keys.shard_of(message.conversation, self.settings.shards)
        rows = await self.redis.xrange(redis_keys.outbox(shard))
        sent = [Outbound.from_dict(json.loads(fields["body"])) for _, fields in rows]
        return [reply for reply in sent if reply.in_reply_to == message.id]

    async def recorded(self, *kinds: str) -> list[dict[str, Any]]:
        """Events of the log, as the recorder stores them."""
        while await self.recorder.step():
            pass
        query = sa.select(events).order_by(events.c.occurred_at, events.c.id)
        rows = self.database.call(lambda c: c.execute(query).mappings().all())
        return [dict(row) for row in rows if row["type"] in kinds]

    async def state(self, user: str = "ann") -> Conversation:
        """The conversation as SQL has it."""
        while await self.recorder.step():
            pass
        name = builders.inbound(user=user).conversation
        found = self.database.call(lambda c: store.get(c, name))
        assert found is not None
        return found

    async def tracker(self, user: str = "ann") -> dict[str, Any]:
        name = builders.inbound(user=user).conversation
        shard = redis_keys.shard_of(name, self.settings.shards)
        found: dict[str, Any] = json.loads(await self.redis.get(redis_keys.tracker(shard, name)))
        return found

    def without(self, entry: str) -> None:
        """Take an entry out of the content, as another version would."""
        left = tuple(e for e in CONTENT.entries if e.id != entry)
        left = tuple(
            replace(e, quick_replies=tuple(q for q in e.quick_replies if q.target != entry))
            for e in left
        )
        self.catalog.knowledge = Knowledge(Content(left, 8), index=None)  # type: ignore[arg-type]
