"""Values the tests need again and again, with everything that does not matter filled in."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bot.content.models import Content, Entry
from bot.conversation import store
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.dialogue.context import Context
from bot.dialogue.rasa_call import AnswerOptions, RasaCall
from bot.dialogue.situation import Situation
from bot.dialogue.turn import Turn
from bot.stores.database import Database
from bot.streams.messages import Inbound, Outbound, conversation_id, message_id
from bot.understanding.service import Knowledge

NOW = 1_700_000_000.0
"""A fixed clock, Unix seconds."""


async def until(holds: Callable[[], bool | Awaitable[bool]], timeout_s: float = 60.0) -> None:
    """Look again and again until something holds; for what announces itself in no other way."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = holds()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(0.002)


def inbound(
    text: str = "where is my order", *, user: str = "ann", n: int = 1, **more: Any
) -> Inbound:
    """Make message number `n` of a customer on the REST channel."""
    conversation = conversation_id("rest", "rest", user)
    values: dict[str, Any] = {
        "id": message_id(conversation, str(n)),
        "conversation": conversation,
        "channel": "rest",
        "account": "rest",
        "vendor_user": user,
        "text": text,
        "received_at": NOW + n,
    }
    return Inbound(**{**values, **more})


def outbound(text: str = "hello", *, user: str = "ann", n: int = 1, **more: Any) -> Outbound:
    """Make reply number `n` to a customer on the REST channel."""
    conversation = conversation_id("rest", "rest", user)
    values: dict[str, Any] = {
        "id": f"{user}-reply-{n}",
        "conversation": conversation,
        "channel": "rest",
        "account": "rest",
        "vendor_user": user,
        "text": text,
        "created_at": NOW + n,
    }
    return Outbound(**{**values, **more})


def opened(
    database: Database, *, user: str = "ann", language: str = "en", **more: Any
) -> Conversation:
    """Let a customer's first message open a conversation."""
    message = inbound(user=user, **more)
    return database.call(lambda c: store.open_for(c, message, language))


def changed(
    database: Database, current: Conversation, target: State, *, key: str, **more: Any
) -> Conversation:
    """Move a conversation one step, in a transaction of its own."""
    return database.call(lambda c: store.change(c, current, target, key=key, **more))


WAYS: Mapping[State, tuple[State, ...]] = {
    State.BOT: (),
    State.WAITING: (State.WAITING,),
    State.ASSIGNED: (State.WAITING, State.ASSIGNED),
    State.SNOOZED: (State.WAITING, State.ASSIGNED, State.SNOOZED),
    State.RESOLVED: (State.WAITING, State.ASSIGNED, State.RESOLVED),
    State.CLOSED: (State.CLOSED,),
}
"""State → steps that lead there from a new conversation."""


def brought_to(
    database: Database,
    state: State,
    *,
    user: str = "ann",
    language: str = "en",
    owner: str = "asha",
    now: float | None = None,
    **more: Any,
) -> Conversation:
    """Open a conversation and bring it to a state the way it would get there."""
    current = opened(database, user=user, language=language)
    moment = time.time() if now is None else now
    for number, step in enumerate(WAYS[state]):
        extra = dict(more) if step == State.WAITING else {}
        if step == State.ASSIGNED:
            extra["owner"] = owner
        before, key = current, f"{user}-step-{number}"
        current = database.call(
            lambda c, b=before, s=step, k=key, e=extra: store.change(
                c, b, s, key=k, now=moment, **e
            )
        )
    return current


def turn_of(message: Inbound, conversation: Conversation, *replies: Outbound, **more: Any) -> Turn:
    """Make a turn that answers from content version 7."""
    return Turn(
        message,
        conversation,
        Context(),
        {"events": [], "slots": {}},
        content_version=7,
        replies=list(replies),
        **more,
    )


def conversation(message: Inbound, **more: Any) -> Conversation:
    """Make a conversation as a customer's first message opens it, without SQL."""
    values: dict[str, Any] = {
        "id": message.conversation,
        "channel": message.channel,
        "account": message.account,
        "vendor_user": message.vendor_user,
        "customer_id": f"c-{message.conversation}",
        "state": State.BOT,
        "version": 1,
        "owner": None,
        "episode_id": message.id,
        "episode_started_at": NOW,
        "stint": 1,
        "language": "en",
        "priority": 0,
        "cause": None,
        "cause_detail": None,
        "waiting_since": None,
        "last_message_at": NOW,
        "last_change": None,
        "sentiment": None,
    }
    return Conversation(**{**values, **more})


def situation(
    message: Inbound, content: Content | None = None, *, language: str = "en", **context: Any
) -> Situation:
    """Make what a turn starts from; `context` is what is remembered of the conversation."""
    return Situation(
        message,
        conversation(message, language=language),
        Context(**context),
        {"events": [], "slots": {}},
        Knowledge(content or Content((), 7), index=None),  # type: ignore[arg-type]
    )


def rasa_call(content: Content | None = None, **more: Any) -> RasaCall:
    """Make a question to Rasa as a turn asks it, on the day of `NOW`; `more` is of the voice."""
    today = datetime.fromtimestamp(NOW, UTC).date()
    values: dict[str, Any] = {
        "language": "en",
        "content": content or Content((), 7),
        "today": today,
    }
    return RasaCall(AnswerOptions(**{**values, **more}), {"events": [], "slots": {}})


def entry(id_: str = "order-status", **more: Any) -> Entry:
    """Make an FAQ entry with English only."""
    values: dict[str, Any] = {
        "id": id_,
        "topic": "orders",
        "subtopic": "",
        "title": {"en": id_[:20]},
        "examples": {"en": (f"{id_} one", f"{id_} two", f"{id_} three")},
        "answers": {"en": f"The answer about {id_}."},
    }
    return Entry(**{**values, **more})
