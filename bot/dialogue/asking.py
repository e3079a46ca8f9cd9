"""What Rasa's parts may see of the turn under way: how answers are worded, and the tracker.

Rasa calls its NLG and its tracker store by ways of its own and hands them no turn, so the question
under way stands in a context variable. Outside a turn (`rasa shell`, the action server) there is
none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from bot.content.models import Content
from bot.language.follow import Belief

Tracker = Mapping[str, Any]
"""`events` (window) and `slots` (snapshot), JSON types; see bot.dialogue.store."""


@dataclass(frozen=True)
class Voice:
    """How the answers of a turn are worded."""

    language: str
    """Language answers are given in."""
    content: Content
    """The version they are taken from."""
    today: date
    """Day of the message (UTC), so that a turn run again finds the same entries valid."""
    text: str = ""
    """The customer's words; an answer may repeat what they name."""
    belief: Belief | None = None
    """The customer's language and script, for translation and Latin letters."""
    values: Mapping[str, object] = field(default_factory=dict)
    """Placeholders for system answers, such as `language_name`."""


@dataclass
class Asking:
    """A question to Rasa under way."""

    voice: Voice
    tracker: Tracker
    """Replaced by the tracker store when Rasa saves."""


CURRENT: ContextVar[Asking | None] = ContextVar("asking", default=None)


def current() -> Asking | None:
    """The question under way in this task; None in `rasa shell` and the like."""
    return CURRENT.get()


@contextmanager
def under_way(asking: Asking) -> Iterator[Asking]:
    """Let Rasa's parts see a question for as long as the block lasts."""
    token = CURRENT.set(asking)
    try:
        yield asking
    finally:
        CURRENT.reset(token)
