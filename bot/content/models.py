"""Data types of FAQ content: entries, and a version of all of them. Format: docs/content.md."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

PERSON = "person"
"""Quick reply target that hands off to a person; also the policy of an entry that always does."""
PERSON_WHEN_NEGATIVE = "person-when-negative"
"""Policy of entries about us: an upset customer is handed off, others are answered."""


@dataclass(frozen=True)
class Reply:
    """Quick reply of an entry."""

    target: str
    """Entry id, or `person`."""
    title: Mapping[str, str] = field(default_factory=dict)
    """Language → button text; empty takes the target entry's own title."""


@dataclass(frozen=True)
class Entry:
    """FAQ entry: examples, answers and quick replies."""

    id: str
    """Lower-case words joined by hyphens; never changes, as events and reports have it."""
    topic: str
    subtopic: str
    title: Mapping[str, str]
    """Language → short name for buttons, at most 20 characters (Messenger's limit)."""
    examples: Mapping[str, tuple[str, ...]]
    """Language (or `hi-Latn`) → questions as customers type them."""
    answers: Mapping[str, str]
    """Language → answer."""
    channels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Channel → language → answer, where a channel needs its own."""
    quick_replies: tuple[Reply, ...] = ()
    policy: str = ""
    """`person` when a human must always take over after the answer, `person-when-negative` when one
    must for upset customers; empty answers everybody."""
    valid_from: str = ""
    """ISO date from which it is answered; empty for always."""
    valid_until: str = ""
    """ISO date after which it is no longer answered; empty for always."""
    owner: str = ""
    """Person who keeps it correct."""

    def is_valid(self, today: date) -> bool:
        return (not self.valid_from or date.fromisoformat(self.valid_from) <= today) and (
            not self.valid_until or today <= date.fromisoformat(self.valid_until)
        )

    def answer(self, language: str, channel: str, default: str) -> tuple[str, str]:
        """Choose the answer for a language and channel.

        Returns:
            Text and its language: the requested one, else the default.
        """
        variants = self.channels.get(channel, {})
        for choice in (language, language.split("-")[0], default):
            if choice in variants:
                return variants[choice], choice
            if choice in self.answers:
                return self.answers[choice], choice
        first_language = next(iter(self.answers))
        return self.answers[first_language], first_language

    def title_in(self, language: str, default: str) -> str:
        return (
            self.title.get(language) or self.title.get(default) or next(iter(self.title.values()))
        )


@dataclass(frozen=True)
class Content:
    """A content version: immutable, numbered once it is published."""

    entries: tuple[Entry, ...]
    number: int = 0

    @cached_property
    def by_id(self) -> Mapping[str, Entry]:
        return {entry.id: entry for entry in self.entries}

    def answers(self, entry: str, today: date) -> bool:
        """Tell whether there is an entry of this id whose dates include today."""
        return entry in self.by_id and self.by_id[entry].is_valid(today)

    @cached_property
    def digest(self) -> str:
        """Return a digest of the content, whatever its number and order; 64 hex digits."""
        ordered = Content(tuple(sorted(self.entries, key=lambda entry: entry.id)))
        return hashlib.sha256(ordered.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        return json.dumps(
            [asdict(entry) for entry in self.entries], ensure_ascii=False, sort_keys=True
        )

    @classmethod
    def from_json(cls, text: str, number: int) -> Content:
        return cls(tuple(_entry(item) for item in json.loads(text)), number)


def _entry(item: Mapping[str, Any]) -> Entry:
    return Entry(
        **{
            **item,
            "examples": {k: tuple(v) for k, v in item["examples"].items()},
            "quick_replies": tuple(Reply(**r) for r in item["quick_replies"]),
        }
    )
