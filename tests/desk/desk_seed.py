"""Rows for the desk's tests, written straight into SQL."""

from __future__ import annotations

import time
from typing import Any

import builders
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.content.models import Content
from bot.settings import Thresholds
from bot.stores.tables import (
    content_pointer,
    content_versions,
    conversations,
    customers,
    events,
    messages,
)

LIMITS = {
    "confidence": 0.5,
    "margin": 0.08,
    "failures": 2,
    "negative_message": 0.94,
    "negative_mean": 0.72,
    "negative_messages": 3,
}
assert set(LIMITS) == set(Thresholds.__dataclass_fields__)


TOPICS = ("orders", "other", "refunds", "returns")


def published(connection: Connection) -> None:
    """A first content version with an entry for each of `TOPICS`, as if nobody had noted it."""
    content = Content(tuple(builders.entry(f"seed-{topic}", topic=topic) for topic in TOPICS))
    connection.execute(
        sa.insert(content_versions).values(
            number=1, digest=content.digest, body=content.to_json(), created_at=0.0
        )
    )
    connection.execute(sa.insert(content_pointer).values(id=1, number=1))


def conversation(connection: Connection, ident: str, **values: Any) -> str:
    """Insert a conversation with its customer; returns the id."""
    now = time.time()
    name = values.pop("name", "")
    connection.execute(
        sa.insert(customers).values(
            id=f"c-{ident}",
            name=name,
            locale=values.pop("locale", ""),
            zone=values.pop("zone", ""),
            created_at=now - 9000,
        )
    )
    row: dict[str, Any] = {
        "id": ident,
        "channel": "webchat",
        "account": "demo",
        "vendor_user": f"v-{ident}",
        "customer_id": f"c-{ident}",
        "state": "bot",
        "version": 1,
        "owner": None,
        "episode_id": f"e-{ident}",
        "episode_started_at": now - 900,
        "stint": 1,
        "language": "en",
        "priority": 0,
        "cause": None,
        "cause_detail": None,
        "waiting_since": None,
        "last_message_at": now - 60,
        "last_change": None,
        "sentiment": None,
        **values,
    }
    if row["state"] == "waiting":
        row["waiting_since"] = row["waiting_since"] or now - 75
        row["cause"] = row["cause"] or "asked"
    connection.execute(sa.insert(conversations).values(**row))
    return ident


def message(
    connection: Connection, ident: str, text: str, author: str = "customer", **values: Any
) -> str:
    """Insert a message, newest last; returns its id."""
    number = connection.execute(sa.select(sa.func.count()).select_from(messages)).scalar_one()
    row: dict[str, Any] = {
        "id": f"m{number:05d}",
        "conversation": ident,
        "episode_id": f"e-{ident}",
        "author": author,
        "agent": "",
        "text": text,
        "language": "en",
        "entry": "",
        "content_version": 0,
        "quick_replies": None,
        "reading": None,
        "in_reply_to": "",
        "created_at": time.time() - 60 + number / 1000,
        "delivery": "" if author == "customer" else "sent",
        **values,
    }
    connection.execute(sa.insert(messages).values(**row))
    return str(row["id"])


def event(connection: Connection, ident: str, kind: str, **values: Any) -> None:
    number = connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one()
    now = time.time()
    row: dict[str, Any] = {
        "id": f"ev{number}",
        "type": kind,
        "conversation": ident,
        "episode_id": f"e-{ident}",
        "channel": "webchat",
        "language": "en",
        "actor": "bot",
        "actor_id": "",
        "content_version": 0,
        "data": {},
        "occurred_at": now - 60,
        "stored_at": now,
        **values,
    }
    connection.execute(sa.insert(events).values(**row))


def doubt(**numbers: Any) -> dict[str, Any]:
    """Numbers of a handoff as `bot.conversation.escalation` stores them."""
    return {
        "entry": "order-status",
        "confidence": 0.31,
        "threshold": 0.5,
        "margin": 0.2,
        "negative": 0.12,
        "negative_mean": 0.2,
        "failures": 0,
        "thresholds": LIMITS,
        **numbers,
    }
