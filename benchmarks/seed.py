"""Test data for the stores: ended, open and waiting conversations; agents with sessions.

Everything is written in bulk before the system starts, in the very shapes it writes itself.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sa

from bot.desk.people import auth
from bot.desk.people.users import User
from bot.processes import prepare
from bot.settings import Settings
from bot.stores import redis_client, redis_keys
from bot.stores.database import Database
from bot.stores.tables import conversations, customers, events, messages, trackers, users
from bot.streams.messages import conversation_id

MESSAGES_EACH = 6
OPEN_SHARE = 0.1
"""Of the stored conversations, those whose episode is still open; the others are closed."""
_BATCH = 2000
_CAUSES = ("asked", "low-confidence", "repeated-fallback", "negative-sentiment")


def stored(settings: Settings, count: int, texts: Sequence[str]) -> None:
    """Store conversations of the bot: SQL rows, trackers, and Redis' copies of both."""
    _write(settings, _conversations(count, texts, waiting=False))


def waiting(settings: Settings, count: int, texts: Sequence[str]) -> None:
    """Store waiting conversations."""
    _write(settings, _conversations(count, texts, waiting=True))


def agents(settings: Settings, count: int) -> list[str]:
    """Store agents who are logged in; return the tokens of their cookies."""
    prepare.database(settings)
    database = Database.of(settings)
    try:
        return database.call(lambda c: [_agent(c, number) for number in range(count)])
    finally:
        database.close()


def _agent(connection: sa.engine.Connection, number: int) -> str:
    row = {
        "id": f"u-bench-{number}",
        "login": f"bench{number}",
        "name": f"Agent {number}",
        "role": "agent",
        "password_hash": "no login by password",
        "languages": None,
        "failed_logins": 0,
        "locked_until": 0.0,
        "created_at": time.time(),
    }
    connection.execute(sa.insert(users).values(**row))
    return auth.start_session(connection, User.from_row(row), time.time()).token


def _conversations(count: int, texts: Sequence[str], *, waiting: bool) -> Iterator[dict[str, Any]]:
    """Yield `{"conversation", "customer", "messages", "events", "tracker"}`, rows of SQL."""
    chance, now = random.Random(7), time.time()
    kind = "waiting" if waiting else "stored"
    for number in range(count):
        user = f"{kind}-{number}"
        name = conversation_id("rest", "rest", user)
        still_open = waiting or chance.random() < OPEN_SHARE
        # The housekeeper must have nothing to close: open conversations were active a moment ago.
        last = now - chance.uniform(0, 60 if still_open else 3 * 86400)
        state = "waiting" if waiting else ("bot" if still_open else "closed")
        episode = f"{name[-20:]}-e"
        yield {
            "conversation": {
                "id": name,
                "channel": "rest",
                "account": "rest",
                "vendor_user": user,
                "customer_id": f"c-{name}",
                "state": state,
                "version": 1,
                "owner": None,
                "episode_id": episode,
                "episode_started_at": last - 120,
                "stint": 1,
                "language": "en",
                "priority": 0,
                "cause": chance.choice(_CAUSES) if waiting else None,
                "cause_detail": {"confidence": 0.31} if waiting else None,
                "waiting_since": last - 30 if waiting else None,
                "last_message_at": last,
                "last_change": None,
                "sentiment": 0.2,
            },
            "customer": {"id": f"c-{name}", "name": "", "locale": "", "created_at": last - 120},
            "messages": _messages(name, episode, last, texts, chance),
            "events": _events(name, episode, last),
            "tracker": _tracker(name, episode, last),
        }


def _messages(
    name: str, episode: str, last: float, texts: Sequence[str], chance: random.Random
) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{episode}-{i}",
            "conversation": name,
            "episode_id": episode,
            "author": "bot" if i % 2 else "customer",
            "agent": "",
            "text": chance.choice(texts),
            "language": "en",
            "entry": "",
            "content_version": 1,
            "quick_replies": None,
            "reading": None,
            "in_reply_to": "",
            "created_at": last - (MESSAGES_EACH - 1 - i) * 10,
            "delivery": "sent" if i % 2 else "",
        }
        for i in range(MESSAGES_EACH)
    ]


def _events(name: str, episode: str, last: float) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{episode}-{i}:message.received",
            "type": "message.received",
            "conversation": name,
            "episode_id": episode,
            "channel": "rest",
            "language": "en",
            "actor": "customer",
            "actor_id": "",
            "content_version": 1,
            "data": {"kind": "text"},
            "occurred_at": last - i * 10,
            "stored_at": last,
        }
        for i in range(MESSAGES_EACH)
    ]


def _tracker(name: str, episode: str, last: float) -> dict[str, Any]:
    turn: list[dict[str, Any]] = [
        {"event": "user", "intent": "faq", "timestamp": last, "id": f"{episode}-0"},
        {"event": "action", "name": "utter_faq", "timestamp": last},
        {"event": "bot", "timestamp": last},
        {"event": "action", "name": "action_listen", "timestamp": last},
    ]
    body = {
        "events": [{"event": "action", "name": "action_listen", "timestamp": last}, *turn, *turn],
        "slots": {"language": "en"},
    }
    return {"conversation": name, "body": json.dumps(body), "updated_at": last}


def _write(settings: Settings, rows: Iterable[dict[str, Any]]) -> None:
    prepare.database(settings)
    database = Database.of(settings)
    server = redis_client.ensure_server(settings)
    client = redis.Redis.from_url(redis_client.address(settings))
    try:
        for part in _batches(rows):
            database.call(partial(_insert, part))
            _copy(client, settings.shards, part)
        # The planner needs to know how big the tables are, as it does after months of use.
        with database.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
    finally:
        client.close()
        database.close()
        if server:
            server.stop()


def _insert(part: list[dict[str, Any]], connection: sa.engine.Connection) -> None:
    for table, rows in (
        (conversations, [row["conversation"] for row in part]),
        (customers, [row["customer"] for row in part]),
        (messages, [message for row in part for message in row["messages"]]),
        (events, [event for row in part for event in row["events"]]),
        (trackers, [row["tracker"] for row in part]),
    ):
        connection.execute(sa.insert(table), rows)


def _copy(client: redis.Redis, shards: int, part: list[dict[str, Any]]) -> None:
    pipeline = client.pipeline(transaction=False)
    for row in part:
        name = row["conversation"]["id"]
        shard = redis_keys.shard_of(name, shards)
        life = redis_keys.CONVERSATION_TTL_S
        pipeline.set(redis_keys.tracker(shard, name), row["tracker"]["body"], ex=life)
        pipeline.set(redis_keys.owner(shard, name), json.dumps(row["conversation"]), ex=life)
    pipeline.execute()


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == _BATCH:
            yield part
            part = []
    if part:
        yield part


def settings_of(folder: Path, **values: Any) -> Settings:
    """Return settings of a system that will run in this state folder."""
    return Settings(state_dir=folder, **values)
