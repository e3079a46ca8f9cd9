"""Answers an agent can take over with one key: the bot's best guesses, in the customer's language.

The bot reads messages also while an agent has the conversation; its ranking of the last one says
which entries of the live content fit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy.engine import Connection

from bot.content import placeholders, versions
from bot.content.models import Content
from bot.desk.conversation import thread as threads
from bot.desk.conversation.thread import Item, Thread

MOST = 3
LEAST_SCORE = 0.15
"""Guesses below this share are noise."""
FAQ = "faq/"


@dataclass(frozen=True)
class Suggestion:
    """An answer that is suggested."""

    entry: str
    title: str
    """In the default language: the agent reads it."""
    text: str
    language: str
    """Of the text; the default language where the entry lacks the customer's."""
    score: float
    """The bot's confidence, 0–1."""


class Suggester:
    """Loader of threads with suggestions; keeps the live content in memory."""

    def __init__(self, default_language: str) -> None:
        self._default = default_language
        self._content: Content | None = None

    def load(self, connection: Connection, conversation_id: str, user_id: str) -> Thread | None:
        """Read a conversation like `thread.load`, with suggestions if this user can answer."""
        thread = threads.load(connection, conversation_id, user_id)
        if thread is None or thread.conversation.owner != user_id:
            return thread
        content = self._live(connection)
        if content is None:
            return thread
        conversation = thread.conversation
        suggestions = suggest(
            content,
            last_ranking(thread.items),
            conversation.language,
            conversation.channel,
            self._default,
            date.fromtimestamp(time.time()),
        )
        return replace(thread, suggestions=suggestions)

    def _live(self, connection: Connection) -> Content | None:
        number = versions.live_number(connection)
        if self._content is None or self._content.number != number:
            self._content = versions.read(connection, number)
        return self._content


def last_ranking(items: Sequence[Item]) -> list[tuple[str, float]]:
    """The bot's ranking of the newest customer message that has one, best first."""
    for item in reversed(items):
        if item.author == "customer" and item.reading is not None:
            return _ranking(item.reading)
    return []


def suggest(
    content: Content,
    ranking: Sequence[tuple[str, float]],
    language: str,
    channel: str,
    default: str,
    today: date,
) -> tuple[Suggestion, ...]:
    """Pick up to `MOST` entries that are likely, valid today and have an answer."""
    suggestions = []
    for label, score in ranking:
        entry = content.by_id.get(label.removeprefix(FAQ))
        if score < LEAST_SCORE or not label.startswith(FAQ) or entry is None:
            continue
        if not entry.is_valid(today):
            continue
        text, spoken = entry.answer(language, channel, default)
        if text:
            title = entry.title_in(default, default)
            text = placeholders.resolve(text, {})
            suggestions.append(Suggestion(entry.id, title, text, spoken, score))
    return tuple(suggestions[:MOST])


def _ranking(reading: Mapping[str, Any]) -> list[tuple[str, float]]:
    pairs = reading.get("ranking")
    if not isinstance(pairs, list):
        return []
    return [
        (str(pair[0]), float(pair[1]))
        for pair in pairs
        if isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[1], int | float)
    ]
