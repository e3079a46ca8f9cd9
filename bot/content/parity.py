"""What an editor should look at: gaps, answers left behind, entries and questions without a match.

Each function gives `Finding`s; `python -m bot content parity` shows them. Docs: docs/content.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.content import versions
from bot.content.models import Content
from bot.language.entities import extract
from bot.stores.tables import content_versions, events, messages

COLUMNS = ("finding", "entry", "language", "count", "detail")
SAMPLES = 20
"""Questions without an entry that are shown, most frequent first."""
PRIVATE = frozenset({"email", "phone", "order-number"})
"""Kinds of entities that are replaced by their names before anybody sees a sample."""
_FAQ = "faq/"
_ASKED_BACK = ":clarification.asked"
_ANSWERED = (":answer.sent", ":answer.sent:also")


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    finding: str
    """`missing`, `outdated`, `never-asked`, `no-entry` or `machine`."""
    entry: str = ""
    language: str = ""
    count: int = 0
    """How often it was asked, where the event log tells; else 0."""
    detail: str = ""

    def to_row(self) -> dict[str, Any]:
        return {column: getattr(self, column) for column in COLUMNS}


def report(
    connection: Connection, languages: Sequence[str], *, since: float = 0.0
) -> list[Finding]:
    """Everything about the live version.

    Args:
        languages: Languages every entry should answer in; the first is the one others follow.
        since: Unix seconds from which the event log counts.
    """
    content = versions.read(connection, versions.live_number(connection))
    if content is None:
        return []
    return [
        *missing(content, languages),
        *outdated(connection, content, languages[0]),
        *machine_made(connection, since),
        *never_asked(connection, content, since),
        *without_entry(connection, since),
    ]


def missing(content: Content, languages: Sequence[str]) -> list[Finding]:
    """Entries that lack an answer, a title or their examples in a language."""
    found = []
    for entry in content.entries:
        for language in languages:
            parts = {"answer": entry.answers, "title": entry.title, "examples": entry.examples}
            lacking = [
                name
                for name, texts in parts.items()
                if not any(code.split("-")[0] == language and texts[code] for code in texts)
            ]
            # Examples in one language serve all; their lack alone is nothing to do.
            if lacking and lacking != ["examples"]:
                found.append(Finding("missing", entry.id, language, 0, f"no {', '.join(lacking)}"))
    return found


def outdated(connection: Connection, content: Content, default: str) -> list[Finding]:
    """Answers whose text was last written for another text of the default language.

    An answer is in step when, in some version that brought its present text, the default
    language's answer read as it does now. So a rollback of both leaves them in step.
    """
    wrote: dict[tuple[str, str], int] = {}
    in_step: dict[tuple[str, str, str], set[str]] = {}
    before: dict[tuple[str, str], str] = {}
    query = (
        sa.select(content_versions.c.number, content_versions.c.body)
        .where(content_versions.c.number <= content.number)
        .order_by(content_versions.c.number)
    )
    for number, body in connection.execute(query.execution_options(yield_per=8)):
        answers: dict[tuple[str, str], str] = {}
        for entry in Content.from_json(body, number).entries:
            base = entry.answers.get(default, "")
            for language, text in entry.answers.items():
                key = (entry.id, language)
                answers[key] = text
                if before.get(key) != text:
                    wrote[key] = number
                    in_step.setdefault((*key, text), set()).add(base)
        before = answers
    found = []
    for entry in content.entries:
        current = entry.answers.get(default)
        for language, text in entry.answers.items():
            if current is None or language == default:
                continue
            if current not in in_step.get((entry.id, language, text), {current}):
                told = (
                    f"written in version {wrote[entry.id, language]}, "
                    f"{default} in version {wrote[entry.id, default]}"
                )
                found.append(Finding("outdated", entry.id, language, 0, told))
    return found


def never_asked(connection: Connection, content: Content, since: float) -> list[Finding]:
    """Entries no message was taken for and no answer was given from."""
    intent, entry = events.c.data["intent"].as_string(), events.c.data["entry"].as_string()
    recent = events.c.occurred_at >= since
    taken = connection.execute(
        sa.select(intent).where(events.c.type == "intent.classified", recent).distinct()
    ).scalars()
    answered = connection.execute(
        sa.select(entry).where(events.c.type == "answer.sent", recent).distinct()
    ).scalars()
    asked = {str(name).removeprefix(_FAQ) for name in taken} | set(answered)
    return [Finding("never-asked", e.id) for e in content.entries if e.id not in asked]


def without_entry(connection: Connection, since: float, limit: int = SAMPLES) -> list[Finding]:
    """Questions the bot had to ask back about, most frequent first, with private data masked."""
    cause = events.c.data["cause"].as_string()
    rows = connection.execute(
        sa.select(messages.c.text, messages.c.language, cause)
        .join(messages, events.c.id == messages.c.id + _ASKED_BACK)
        .where(events.c.type == "clarification.asked", events.c.occurred_at >= since)
    )
    counts = Counter(
        (redact(" ".join(text.split())), language, why) for text, language, why in rows
    )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0][0]))
    return [
        Finding("no-entry", "", language, count, f"{text} ({why})" if why else text)
        for (text, language, why), count in ranked[:limit]
    ]


def machine_made(connection: Connection, since: float) -> list[Finding]:
    """Answers a machine translated, with the newest wording, for an editor to take over."""
    entry, to = events.c.data["entry"].as_string(), events.c.data["to"].as_string()
    rows = connection.execute(
        sa.select(entry, to, messages.c.text)
        .join(
            messages,
            sa.and_(
                events.c.id.in_([messages.c.in_reply_to + ending for ending in _ANSWERED]),
                messages.c.entry == entry,
                messages.c.language == to,
            ),
        )
        .where(
            events.c.type == "answer.sent",
            events.c.data["machine"].as_boolean().is_(True),
            events.c.occurred_at >= since,
        )
        .order_by(events.c.occurred_at)
    ).all()
    counts = Counter((name, language) for name, language, _ in rows)
    newest = {(name, language): text for name, language, text in rows}
    return [
        Finding("machine", name, language, count, " ".join(newest[name, language].split()))
        for (name, language), count in sorted(counts.items())
    ]


def redact(text: str) -> str:
    """Replace e-mail addresses, phone and order numbers by their kind in square brackets."""
    for entity in reversed(extract(text)):
        if entity.kind in PRIVATE:
            text = f"{text[: entity.start]}[{entity.kind}]{text[entity.end :]}"
    return text
