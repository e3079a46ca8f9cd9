"""What editors should look at, from the version history and the event log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from bot.content import parity, versions
from bot.content.models import Content, Entry
from bot.content.parity import Finding
from bot.events import Event
from bot.stores.database import Database
from bot.streams import messages as travelling
from bot.streams.delivery import message_row
from bot.streams.recorder import store_rows


def _entry(en: str = "One.", hi: str = "एक।", name: str = "order-status") -> Entry:
    return builders.entry(name, title={"en": name, "hi": "शीर्षक"}, answers={"en": en, "hi": hi})


def _history(database: Database, *answers: tuple[str, str]) -> list[Finding]:
    """Publish one version after the other; return what is outdated in the last."""
    live = Content(())
    for en, hi in answers:
        content = Content((_entry(en, hi),))
        based_on = live.number or None
        live = database.call(lambda c, n=content, b=based_on: versions.write(c, n, based_on=b))
    return database.call(lambda c: parity.outdated(c, live, "en"))


def _log(database: Database, *events: Event) -> None:
    rows = [{"kind": "event", "body": event.to_dict()} for event in events]
    database.call(lambda c: store_rows(c, rows))


def _asked(database: Database, n: int, text: str, cause: str = "low-confidence") -> None:
    message = builders.inbound(text, n=n)
    body = {
        "id": message.id,
        "conversation": message.conversation,
        "episode_id": "",
        "agent": "",
        "author": "customer",
        "text": text,
        "language": "en",
        "entry": "",
        "content_version": 1,
        "quick_replies": None,
        "reading": None,
        "in_reply_to": "",
        "delivery": "",
        "created_at": message.received_at,
    }
    event = Event(
        f"{message.id}:clarification.asked",
        "clarification.asked",
        data={"cause": cause},
        occurred_at=message.received_at,
    )
    database.call(lambda c: store_rows(c, [{"kind": "message", "body": body}]))
    _log(database, event)


def test_an_entry_lacking_a_language_is_named_with_what_it_lacks() -> None:
    whole, part = _entry(), replace(_entry(name="b"), answers={"en": "x"})
    assert parity.missing(Content((whole, part)), ["en", "hi"]) == [
        Finding("missing", "b", "hi", 0, "no answer, examples")
    ]


def test_examples_typed_in_latin_letters_are_examples() -> None:
    entry = replace(_entry(), answers={"en": "x"}, examples={"hi-Latn": ("a", "b", "c")})
    assert [f.detail for f in parity.missing(Content((entry,)), ["hi"])] == ["no answer"]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([("1", "१")], None),
        ([("1", "१"), ("2", "१")], "written in version 1, en in version 2"),
        ([("1", "१"), ("2", "१"), ("2", "२")], None),
        ([("1", "१"), ("2", "२")], None),
        ([("1", "१"), ("1", "२")], None),
        # A rollback: both are as they were written for one another.
        ([("1", "१"), ("2", "२"), ("1", "१")], None),
        ([("1", "१"), ("2", "१"), ("1", "१")], None),
        ([("1", "१"), ("2", "२"), ("3", "२")], "written in version 2, en in version 3"),
    ],
)
def test_an_answer_is_outdated_when_the_default_moved_on_without_it(
    database: Database, answers: list[tuple[str, str]], told: str | None
) -> None:
    expected = [Finding("outdated", "order-status", "hi", 0, told)] if told else []
    assert _history(database, *answers) == expected


def test_an_entry_taken_or_answered_is_asked(database: Database) -> None:
    names = ("a-a", "b-b", "c-c")
    content = Content(tuple(_entry(name=name) for name in names))
    _log(
        database,
        Event("1", "intent.classified", data={"intent": "faq/a-a"}, occurred_at=50.0),
        Event("2", "answer.sent", data={"entry": "b-b"}, occurred_at=200.0),
    )
    found = database.call(lambda c: parity.never_asked(c, content, 0.0))
    assert [f.entry for f in found] == ["c-c"]
    recent = database.call(lambda c: parity.never_asked(c, content, 100.0))
    assert [f.entry for f in recent] == ["a-a", "c-c"]


def test_questions_without_an_entry_are_counted_and_masked(database: Database) -> None:
    _asked(database, 1, "do you  sell tents")
    _asked(database, 2, "do you sell tents")
    _asked(database, 3, "I am ann@example.com, order MEL-2024-00017")
    found = database.call(lambda c: parity.without_entry(c, 0.0))
    assert [(f.count, f.detail) for f in found] == [
        (2, "do you sell tents (low-confidence)"),
        (1, "I am [email], order [order-number] (low-confidence)"),
    ]


def test_only_as_many_samples_as_asked_for(database: Database) -> None:
    for n in range(5):
        _asked(database, n, f"question {'x' * n}")
    assert len(database.call(lambda c: parity.without_entry(c, 0.0, limit=3))) == 3


def test_machine_made_answers_are_listed_with_the_newest_wording(database: Database) -> None:
    for n, text in enumerate(["Il arrive.", "Il est en route."], 1):
        message = builders.inbound(n=n)
        reply: travelling.Outbound = builders.outbound(
            text,
            n=n,
            id=f"{message.id}:0",
            language="fr",
            entry="order-status",
            in_reply_to=message.id,
        )
        row = {"kind": "message", "body": message_row(reply, "e")}
        database.call(lambda c, row=row: store_rows(c, [row]))
        data: dict[str, Any] = {"entry": "order-status", "version": 1, "machine": True, "to": "fr"}
        _log(database, Event(f"{message.id}:answer.sent", "answer.sent", data=data, occurred_at=n))
    _log(database, Event("m9:answer.sent", "answer.sent", data={"entry": "order-status"}))
    assert database.call(lambda c: parity.machine_made(c, 0.0)) == [
        Finding("machine", "order-status", "fr", 2, "Il est en route.")
    ]
