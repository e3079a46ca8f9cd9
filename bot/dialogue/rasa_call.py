"""The current call to Rasa, for its NLG and tracker store: answer options and the tracker.

Rasa calls both without our turn, so the current call is in a context variable. Outside a turn
(`rasa shell`, the action server) there is none.
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
class AnswerOptions:
    """How the answers of a turn are worded."""

    language: str
    """Language of the answers."""
    content: Content
    """The content version they come from."""
    today: date
    """Day of the message (UTC), so that a turn run again finds the same entries valid."""
    text: str = ""
    """The customer's text; an answer may repeat values from it."""
    belief: Belief | None = None
    """The customer's language and script, for translation and Latin letters."""
    values: Mapping[str, object] = field(default_factory=dict)
    """Placeholders for system answers, such as `language_name`."""


@dataclass
class RasaCall:
    """One call to Rasa."""

    options: AnswerOptions
    tracker: Tracker
    """Replaced by the tracker store when Rasa saves."""


CURRENT: ContextVar[RasaCall | None] = ContextVar("rasa_call", default=None)


def current() -> RasaCall | None:
    """Return the current call of this task; None in `rasa shell` and the like."""
    return CURRENT.get()


@contextmanager
def calling_rasa(call: RasaCall) -> Iterator[RasaCall]:
    """Make a call the current one inside the block."""
    token = CURRENT.set(call)
    try:
        yield call
    finally:
        CURRENT.reset(token)
