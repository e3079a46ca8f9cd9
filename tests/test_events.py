"""Events: each type is a dataclass, whoever emits one fits it, and its page says what it holds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import events_page
import pytest

from bot import events
from bot.conversation.escalation import Signals, decide
from bot.events import (
    KINDS,
    AnswerSent,
    ClarificationAsked,
    ConversationReopened,
    Event,
    StoredEvent,
    Subject,
)
from bot.settings import Settings

ROOT = Path(__file__).parents[1]
MAKERS = {"event", "_event", "Event"}
"""Functions that take an event's type in words."""


@dataclass(frozen=True)
class Emission:
    """A call that makes an event of a type it names in words."""

    where: str
    type: str
    keys: frozenset[str]
    whole: bool
    """No other keys can come in at run time."""


def sources() -> list[Path]:
    return [path for top in ("bot", "channels", "actions") for path in (ROOT / top).rglob("*.py")]


def emissions(path: Path) -> Iterator[Emission]:
    tree = ast.parse(path.read_text("utf-8"))
    returned = {
        node.name: _literal_keys(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
        named = [
            item.value
            for item in (*node.args[:2], *(k.value for k in node.keywords if k.arg == "type"))
            if isinstance(item, ast.Constant) and isinstance(item.value, str) and "." in item.value
        ]
        if name in MAKERS and named:
            found, whole = _keys(node, returned)
            yield Emission(f"{path.name}:{node.lineno}", named[0], frozenset(found), whole)


def _keys(call: ast.Call, returned: dict[str, set[str]]) -> tuple[set[str], bool]:
    """Keys of the data that a call names, by keyword, in a literal, or through a function that
    returns literals."""
    found: set[str] = set()
    whole = True
    data = next((argument for argument in call.args if isinstance(argument, ast.Dict)), None)
    pairs: list[tuple[str | None, ast.AST]] = [(k.arg, k.value) for k in call.keywords]
    if data is not None:
        pairs = [
            (ast.literal_eval(k) if k else None, v)
            for k, v in zip(data.keys, data.values, strict=True)
        ]
    for key, value in pairs:
        if key is not None:
            found.add(key)
        elif isinstance(value, ast.Call) and getattr(value.func, "id", "") in returned:
            found |= returned[value.func.id]  # type: ignore[attr-defined]
            whole = False
        else:
            whole = False
    return found - {"ordinal", "actor"}, whole


def _literal_keys(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    return {
        key.value
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and node.value
        for part in ast.walk(node.value)
        if isinstance(part, ast.Dict)
        for key in part.keys
        if isinstance(key, ast.Constant)
    }


def test_what_is_emitted_in_words_has_a_dataclass_with_these_keys() -> None:
    faults = []
    for emission in (found for path in sources() for found in emissions(path)):
        if emission.type not in KINDS:
            faults.append(f"{emission.where}: {emission.type} has no dataclass")
            continue
        known, optional = set(events.keys(emission.type)), events.optional(emission.type)
        missing = known - optional - emission.keys if emission.whole else set()
        faults += [f"{emission.where}: {emission.type} has no {k}" for k in emission.keys - known]
        faults += [f"{emission.where}: {emission.type} lacks {k}" for k in missing]
    assert faults == []


def test_every_type_is_emitted_somewhere() -> None:
    """A dataclass nobody uses would be a promise that the log does not keep."""
    called = {
        name.id
        for path in sources()
        if path != ROOT / "bot/events.py"
        for name in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(name, ast.Name)
    }
    in_words = {found.type for path in sources() for found in emissions(path)}
    silent = {t for t, kind in KINDS.items() if kind.__name__ not in called and t not in in_words}
    assert silent == set()


def test_the_scan_sees_what_is_wrong(tmp_path: Path) -> None:
    odd = tmp_path / "odd.py"
    odd.write_text(
        "def extra():\n    return {'c': 1}\n"
        "turn.event('one.said', ordinal=':x', a=1, **extra())\n"
        "self._event(turn, 'two.said', {'b': 2, **more})\n"
        "Event(id='x', type='three.said', conversation='c')\n"
    )
    found = [(e.type, set(e.keys), e.whole) for e in emissions(odd)]
    assert found[:2] == [("one.said", {"a", "c"}, False), ("two.said", {"b"}, False)]
    assert found[2][0] == "three.said"


def test_what_the_escalation_tells_fits_a_handoff() -> None:
    numbers = decide(Signals(asked_for_person=True), Settings().thresholds).numbers or {}
    assert numbers.keys() <= events.keys("handoff.requested").keys()


def test_an_event_takes_its_envelope_from_the_conversation() -> None:
    whose = Subject("rest-1", "e-1", "rest", "hi")
    what = AnswerSent("order-status", 3, machine=True, to="mr")
    made = Event.of(whose, what, key="m1", ordinal=":also", content_version=3, occurred_at=7.0)
    assert made == Event(
        id="m1:answer.sent:also",
        type="answer.sent",
        conversation="rest-1",
        episode_id="e-1",
        channel="rest",
        language="hi",
        actor="bot",
        content_version=3,
        data={"entry": "order-status", "version": 3, "machine": True, "to": "mr"},
        occurred_at=7.0,
    )
    assert Event.of(whose, what, key="m1", language="mr").language == "mr"
    assert Event.of(Subject(), what, key="", ordinal=":4").id == "answer.sent:4"


def test_keys_are_the_rows_own_and_none_is_left_out_only_where_it_may() -> None:
    assert ConversationReopened("closed").to_data() == {"from": "closed"}
    assert ClarificationAsked(None).to_data() == {"cause": None}
    assert AnswerSent("a", 1).to_data() == {"entry": "a", "version": 1}


@pytest.mark.parametrize("type_", sorted(KINDS))
def test_data_comes_back_as_it_went(type_: str) -> None:
    filled: Any = {own: f"{key}!" for key, own in events.keys(type_).items()}
    what = KINDS[type_](**filled)
    assert events.data_of(type_, {**what.to_data(), "added later": 1}) == what


def test_rows_of_other_versions_can_be_read() -> None:
    row = {"id": "x", "type": "long.gone", "data": {"a": 1}, "occurred_at": 1.0, "stored_at": 2.0}
    gone = StoredEvent.from_row(row)
    assert (gone.type, gone.data, gone.stored_at, gone.facts) == ("long.gone", {"a": 1}, 2.0, None)
    older = StoredEvent.from_row({**row, "type": "answer.sent", "data": {"entry": "a"}})
    assert older.facts is None
    whole = StoredEvent.from_row(
        {**row, "type": "answer.sent", "data": {"entry": "a", "version": 1}}
    )
    assert whole.facts == AnswerSent("a", 1)


def test_the_page_is_written_from_the_dataclasses() -> None:
    assert events_page.PAGE.read_text("utf-8") == events_page.page(), (
        "run: uv run python tests/events_page.py"
    )
