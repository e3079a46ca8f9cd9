"""Report for editors: missing and outdated answers, entries never asked, unanswered questions.

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
"""Most questions without an entry in the report."""
PRIVATE = frozenset({"email", "phone", "order-number", "number"})
"""Kinds of entities that are replaced by their names in the report."""
_FAQ = "faq/"
_ASKED_BACK = ":clarification.asked"
_ANSWERED = (":answer.sent", ":answer.sent:also")


@dataclass(frozen=True)
class Finding:
    """Row of the report."""

    finding: str
    """`missing`, `outdated`, `never-asked`, `no-entry` or `machine`."""
    entry: str = ""
    language: str = ""
    count: int = 0
    """How often it was asked, as counted from the event log; else 0."""
    detail: str = ""

    def to_row(self) -> dict[str, Any]:
        return {column: getattr(self, column) for column in COLUMNS}


def report(
    connection: Connection, languages: Sequence[str], *, since: float = 0.0
) -> list[Finding]:
    """List all findings about the live version.

    Args:
        languages: Languages every entry should answer in; the first is the default.
        since: Unix seconds from which events are counted.
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
    """List entries that lack an answer, a title or examples in a language."""
    findings = []
    for entry in content.entries:
        for language in languages:
            parts = {"answer": entry.answers, "title": entry.title, "examples": entry.examples}
            missing_parts = [
                name
                for name, texts in parts.items()
                if not any(code.split("-")[0] == language and texts[code] for code in texts)
            ]
            # Examples in one language serve all; their lack alone needs no work.
            if missing_parts and missing_parts != ["examples"]:
                findings.append(
                    Finding("missing", entry.id, language, 0, f"no {', '.join(missing_parts)}")
                )
    return findings


def outdated(connection: Connection, content: Content, default: str) -> list[Finding]:
    """List answers written for an earlier text of the default language.

    An answer is up to date when, in some version that introduced its present text, the default
    language's answer was as it is now. So a rollback of both leaves them up to date.
    """
    written_in: dict[tuple[str, str], int] = {}
    default_texts: dict[tuple[str, str, str], set[str]] = {}
    previous: dict[tuple[str, str], str] = {}
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
                if previous.get(key) != text:
                    written_in[key] = number
                    default_texts.setdefault((*key, text), set()).add(base)
        previous = answers
    findings = []
    for entry in content.entries:
        current = entry.answers.get(default)
        for language, text in entry.answers.items():
            if current is None or language == default:
                continue
            if current not in default_texts.get((entry.id, language, text), {current}):
                detail = (
                    f"written in version {written_in[entry.id, language]}, "
                    f"{default} in version {written_in[entry.id, default]}"
                )
                findings.append(Finding("outdated", entry.id, language, 0, detail))
    return findings


def never_asked(connection: Connection, content: Content, since: float) -> list[Finding]:
    """List entries that no message was classified as and no answer came from."""
    intent, entry = events.c.data["intent"].as_string(), events.c.data["entry"].as_string()
    recent = events.c.occurred_at >= since
    classified = connection.execute(
        sa.select(intent).where(events.c.type == "intent.classified", recent).distinct()
    ).scalars()
    answered_entries = connection.execute(
        sa.select(entry).where(events.c.type == "answer.sent", recent).distinct()
    ).scalars()
    asked_entries = {str(name).removeprefix(_FAQ) for name in classified} | set(answered_entries)
    return [Finding("never-asked", e.id) for e in content.entries if e.id not in asked_entries]


def without_entry(connection: Connection, since: float, limit: int = SAMPLES) -> list[Finding]:
    """List questions the bot asked back about, most frequent first, private data masked."""
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
    """List answers translated by a machine, with the newest text, for an editor to adopt."""
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
