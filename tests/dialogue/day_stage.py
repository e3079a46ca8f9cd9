"""Plays a day's steps through the real handler and tells what came of each turn.

Clock, ids, readings and wordings are fixed; Rasa, Redis and SQL are real. A step is a dict:

- `{"do": "say", "who", "text", "tap", "kind", "files", "after", "trouble", …}`: a message;
- `{"do": "agent", "who", "what", "after"}`: what an agent does with a conversation;
- `{"do": "record"}`, `{"do": "publish"}`, `{"do": "forget", "who"}`: the recorder goes round, a
  content version goes live, Redis loses its copies of a conversation.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import redis.asyncio
import sqlalchemy as sa
from day_readings import PlayedUnderstander, content_of, without
from talk import LEASE, FixedCatalog

from bot.content.models import Entry
from bot.conversation import store
from bot.conversation.changes import Changes
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.dialogue import handler as handler_module
from bot.dialogue.engine import Engine
from bot.dialogue.handler import MessageHandler
from bot.errors import SamvadError, StoreUnavailable, TranslationUnavailable
from bot.handoff.service import Agent, HandoffService
from bot.language.translate import Translation
from bot.routing import presence, teams
from bot.routing.hours import Hours, parse_spans
from bot.routing.model import EVERYONE, Team
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.tables import dead_letters, events, messages
from bot.streams.attachments import FETCHING, Attachment
from bot.streams.delivery import rows_in
from bot.streams.lease import Leases
from bot.streams.messages import Inbound, Outbound, conversation_id, message_id
from bot.streams.recorder import Recorder
from bot.streams.ticket import Ticket
from bot.understanding.service import Knowledge, Understander

START = 1_700_000_000.0
"""22:13 UTC; midnight, after which every fifth entry has ended, comes early in the day."""
LAST_DAY = "2023-11-14"
CHANNELS = ("rest", "webchat", "telegram", "facebook")
ZONES = {"hi": "Asia/Kolkata", "th": "Asia/Bangkok", "es": "Europe/Madrid"}
ASHA = Agent("asha", "Asha")
WITH_TRANSLATOR = 10
"""Every tenth customer is served by an engine that translates."""


class Clock:
    """Stands in for `time.time`."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class PlayedTranslator:
    """Marks what it translates, and knows no Japanese."""

    async def translate(
        self, text: str, source: str, target: str, *, keep: bool = True
    ) -> Translation:
        if target == "ja":
            raise TranslationUnavailable("played", "slow")
        return Translation(f"{text} → {target}", text, source, target, "played")


@dataclass(frozen=True)
class Outcome:
    """What came of a turn."""

    whole: Mapping[str, Any]
    """Everything it wrote, as JSON."""
    replies: tuple[Outbound, ...]
    conversation: Conversation | None
    """As SQL has it."""

    def summary(self) -> dict[str, Any]:
        """Readable short form with a digest of the whole."""
        rows = [row for row in self.whole["record"] if row["kind"] == "event"]
        logged = [row["body"] for row in rows] + self.whole["events"]
        c = self.conversation
        return {
            "replies": [
                [
                    reply.utter,
                    reply.entry,
                    reply.language,
                    [q.entry or q.action for q in reply.quick_replies],
                    _digest(reply.text, 8),
                ]
                for reply in self.replies
            ],
            "events": [[e["type"], e["actor"], e["data"]] for e in logged],
            "state": c and [c.state.value, c.version, c.cause, c.priority, c.topic, c.team],
            "stint": c and [c.stint, c.language],
            "error": self.whole["error"],
            "tracker": _digest(self.whole["tracker"]),
            "digest": _digest(self.whole),
        }


class Stage:
    """One machine with its stores, on which a day is played."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        client: redis.asyncio.Redis,
        engines: tuple[Engine, Engine],
        recorded: Mapping[str, Any],
        clock: Clock,
        models: tuple[Understander, Knowledge] | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.redis = client
        self.clock = clock
        self.understander = PlayedUnderstander(recorded["readings"], recorded["commands"], models)
        content = content_of(recorded["content"], 7, LAST_DAY)
        self.catalog = FixedCatalog(Knowledge(content, index=None))  # type: ignore[arg-type]
        self.languages: dict[int, str] = dict(enumerate(recorded["customers"]))
        """Customer → locale their channel reports."""
        self.leases = Leases(client, "recorder", "recorder", settings.shards, 600.0)
        self.recorder = Recorder(client, self.leases, database)
        self.desk = HandoffService(settings, database, client)
        self.changes = Changes(settings.shards, database, client)
        self._handlers = tuple(
            MessageHandler(chosen, database, client, engine, self.understander, self.catalog)  # type: ignore[arg-type]
            for chosen, engine in zip(self._both(), engines, strict=True)
        )
        self._said: dict[int, int] = {}
        self._moves = 0
        self._read: dict[str, str] = {}

    def _both(self) -> tuple[Settings, Settings]:
        return self.settings, replace(self.settings, translation_provider="libre")

    async def prepare(self) -> None:
        """Take the leases and open the teams."""
        await self.leases.step()
        for shard in range(self.settings.shards):
            await self.redis.set(redis_keys.lease(shard, "engine"), LEASE)
        nine = parse_spans("09:00-17:00")
        everyone = Team(EVERYONE, "Everyone", everyone=True, hours=Hours("UTC", (nine,) * 7))
        orders = Team("orders", "Orders", topics=frozenset({"orders"}))
        hindi = Team("hindi", "Hindi", languages=frozenset({"hi"}))
        for team in (everyone, orders, hindi):
            self.database.call(lambda c, t=team: teams.save_team(c, t))

    def name(self, who: int) -> str:
        """Id of a customer's conversation."""
        channel = CHANNELS[who % len(CHANNELS)]
        return conversation_id(channel, f"{channel}-account", f"customer-{who}")

    def state_of(self, who: int) -> Conversation | None:
        name = self.name(who)
        return self.database.call(lambda c: store.get(c, name))

    async def play(self, step: Mapping[str, Any]) -> Outcome | None:
        """Do one step; a message has an outcome."""
        self.clock.now = round(self.clock.now + step.get("after", 0), 3)
        if step["do"] == "say":
            return await self._say(step)
        if step["do"] == "agent":
            await self._agent(step["who"], step["what"])
        elif step["do"] == "record":
            while await self.recorder.step():
                pass
        elif step["do"] == "publish":
            now = self.catalog.knowledge.content
            self.catalog.knowledge = Knowledge(without(now, 9), index=None)  # type: ignore[arg-type]
        elif step["do"] == "forget":
            while await self.recorder.step():
                pass
            name = self.name(step["who"])
            shard = redis_keys.shard_of(name, self.settings.shards)
            await self.redis.delete(redis_keys.tracker(shard, name), redis_keys.owner(shard, name))
        return None

    # — customers —

    def message(self, step: Mapping[str, Any]) -> Inbound:
        """The next message of a customer."""
        who, name = step["who"], self.name(step["who"])
        number = self._said[who] = self._said.get(who, 0) + 1
        channel, locale = CHANNELS[who % len(CHANNELS)], self.languages[who]
        return Inbound(
            id=message_id(name, str(number)),
            conversation=name,
            channel=channel,
            account=f"{channel}-account",
            awaited=channel == "rest",
            vendor_user=f"customer-{who}",
            text=step.get("text", ""),
            tap=step.get("tap", ""),
            kind=step.get("kind", "message"),
            received_at=round(self.clock.now - step.get("early", 0), 3),
            locale=locale,
            zone=ZONES.get(locale[:2], "") if channel == "webchat" else "",
            name=f"Customer {who}",
            position=number if channel in ("telegram", "facebook") else 0,
            attachments=tuple(
                Attachment(f"f-{who}-{number}-{n}", kind, state=FETCHING, source="x")
                for n, kind in enumerate(step.get("files", ()))
            ),
        )

    async def _say(self, step: Mapping[str, Any]) -> Outcome:
        message, trouble = self.message(step), step.get("trouble", "")
        shard = redis_keys.shard_of(message.conversation, self.settings.shards)
        body = json.dumps(message.to_dict(), ensure_ascii=False)
        row = await self.redis.xadd(redis_keys.inbox(shard), {"body": body})
        ticket = Ticket(shard, row, LEASE)
        with pytest.MonkeyPatch.context() as patch:
            await self._trouble(message, ticket, trouble, patch)
            error = await self._handle(message, ticket)
        self.understander.broken, self.understander.meanwhile = False, None
        if error or trouble == "twice":
            await self.redis.set(redis_keys.lease(shard, "engine"), LEASE)
            error = f"{error} {await self._handle(message, ticket)}".strip()
        return await self._outcome(message, shard, error)

    async def _handle(self, message: Inbound, ticket: Ticket) -> str:
        """Handle a message; return the name of what was raised."""
        who = int(message.vendor_user.rpartition("-")[2])
        handler = self._handlers[who % WITH_TRANSLATOR == WITH_TRANSLATOR - 1]
        try:
            await handler.handle(message, ticket)
        except (SamvadError, RuntimeError) as error:
            return type(error).__name__
        return ""

    async def _trouble(
        self, message: Inbound, ticket: Ticket, trouble: str, patch: pytest.MonkeyPatch
    ) -> None:
        """Break something for one try at a message."""
        if trouble == "understanding":
            self.understander.broken = True
        elif trouble == "claimed":
            self.understander.meanwhile = self._claimed_meanwhile(message)
        elif trouble == "nlg":
            patch.setattr(Entry, "answer", _raising(KeyError("no such text")))
        elif trouble == "rasa":
            patch.setattr(Engine, "handle_message", _raising(RuntimeError("Rasa is unwell")))
        elif trouble == "silent":
            patch.setattr(Engine, "handle_message", _silent)
        elif trouble == "dies":
            patch.setattr(handler_module, "commit", _raising(RuntimeError("SIGKILL")))
        elif trouble == "database":
            patch.setattr(self.database, "run", _raising(StoreUnavailable("database", "locked")))
        elif trouble == "lease":
            await self.redis.set(redis_keys.lease(ticket.shard, "engine"), "engine-1|2")
        elif trouble == "worn out":
            counted = redis_keys.attempts(ticket.shard)
            await self.redis.hset(counted, ticket.row, str(self.settings.attempts))

    def _claimed_meanwhile(self, message: Inbound) -> Any:
        """Let an agent take the conversation while the message is being read."""
        loop, name = asyncio.get_running_loop(), message.conversation

        def claim() -> None:
            self.understander.meanwhile = None
            work = self.desk.claim(name, ASHA, key=f"meanwhile-{message.id}")
            asyncio.run_coroutine_threadsafe(work, loop).result(10)

        return claim

    async def _outcome(self, message: Inbound, shard: int, error: str) -> Outcome:
        name = message.conversation
        query = (
            sa.select(events)
            .where(events.c.conversation == name, events.c.id.startswith(f"{message.id}:"))
            .order_by(events.c.id)
        )
        conversation, logged = self.database.call(
            lambda c: (store.get(c, name), c.execute(query).mappings().all())
        )
        streams = [redis_keys.outbox(shard), redis_keys.record(shard), redis_keys.replies(shard)]
        look = self.redis.pipeline(transaction=False)
        self._look_at(look, streams)
        look.get(redis_keys.tracker(shard, name))
        look.get(redis_keys.owner(shard, name))
        look.xlen(redis_keys.inbox(shard))
        look.hlen(redis_keys.attempts(shard))
        *found, tracker, owner, inbox, attempts = await look.execute()
        outbox, record, unanswered = self._new(streams, found)
        sent = [json.loads(body) for body in outbox]
        whole = {
            "error": error,
            "outbox": sent,
            "record": [_as_recorded(row) for body in record for row in rows_in(body)],
            "events": [dict(row) for row in logged],
            "conversation": conversation and json.loads(conversation.to_json()),
            "owner": owner and json.loads(owner),
            "tracker": tracker and json.loads(tracker),
            "unanswered": [json.loads(body) for body in unanswered],
            "inbox": inbox,
            "attempts": attempts,
        }
        return Outcome(whole, tuple(map(Outbound.from_dict, sent)), conversation)

    def _look_at(self, pipeline: Any, streams: list[str]) -> None:
        """Ask for what streams were given since they were last looked at."""
        for stream in streams:
            after = self._read.get(stream)
            pipeline.xrange(stream, min=f"({after}" if after else "-")

    def _new(self, streams: list[str], found: list[Any]) -> list[list[str]]:
        """Bodies of the rows that were found, by stream."""
        for stream, rows in zip(streams, found, strict=True):
            if rows:
                self._read[stream] = rows[-1][0]
        return [[fields["body"] for _, fields in rows] for rows in found]

    # — agents —

    async def _agent(self, who: int, what: str) -> None:
        name, shard = self.name(who), redis_keys.shard_of(self.name(who), self.settings.shards)
        self._moves += 1
        key = f"move-{self._moves}"
        await presence.mark_online(self.redis, ASHA.id)
        if what == "present":
            pass  # that they are is all
        elif what == "claim":
            await self.desk.claim(name, ASHA, key=key)
        elif what == "reply":
            await self.desk.reply(name, ASHA, "Let me look into that.", key=key)
        elif what == "return":
            await self.desk.give_back(name, ASHA, key=key)
        elif what == "resolve":
            await self.desk.resolve(name, ASHA, topic="orders", outcome="solved", key=key)
        elif what == "requeue":
            await self.desk.requeue(name, ASHA, note="", key=key)
        else:
            await self._change(name, what, key)
        # An agent's doings are no turn: pass over what they wrote.
        streams = [redis_keys.outbox(shard), redis_keys.record(shard)]
        look = self.redis.pipeline(transaction=False)
        self._look_at(look, streams)
        self._new(streams, await look.execute())

    async def _change(self, name: str, what: str, key: str) -> None:
        """Change a conversation as the desk's pages and the closing of idle ones do."""
        values: dict[str, Any] = {}
        if what in ("block", "unblock"):
            values["blocked"] = what == "block"

        def work(connection: sa.engine.Connection) -> Conversation:
            current = store.get(connection, name)
            assert current is not None
            if values:
                return store.amend(connection, current, key=key, **values)
            target = {"snooze": State.SNOOZED, "close": State.CLOSED}[what]
            return store.change(connection, current, target, key=key)

        await self.changes.apply(name, work)

    # — the whole day —

    async def stored(self) -> dict[str, Any]:
        """What SQL has at the end of the day: numbers of rows by kind."""
        while await self.recorder.step():
            pass
        counts: dict[str, Any] = {}
        for column in (events.c.type, messages.c.author, dead_letters.c.direction):
            query = sa.select(column, sa.func.count()).group_by(column).order_by(column)
            rows = self.database.call(lambda c, q=query: c.execute(q).all())
            counts[column.table.name] = {kind: count for kind, count in rows}
        return counts


def _raising(error: Exception) -> Any:
    """Make a function that raises, now and when it is awaited."""

    def raises(*_: Any, **__: Any) -> Any:
        raise error

    return raises


async def _silent(*_: Any) -> None:
    return None


def _as_recorded(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a dead letter what a message has only told since the day was recorded."""
    message = row["body"].get("body")
    if isinstance(message, dict):
        message.pop("awaited", None)
    return row


def _digest(value: Any, digits: int = 12) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
