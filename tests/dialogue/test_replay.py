"""Turns played from memory are those Rasa makes, in every conversation it can have."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from talk import Talk

from bot.dialogue import replay
from bot.dialogue.engine import Engine
from bot.dialogue.replay import Replays

# Text of a customer → what is done about it; see talk.SCRIPT.
SAID = ("hello", "where is my order", "order or refund", "when is my refund", "yes", "start over")
OWN = ("id", "timestamp", "created_at", "in_reply_to", "quick_replies", "state")


@pytest.fixture
def without_rasa(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> list[object]:
    """Counts the turns that Rasa decided."""
    asked: list[object] = []
    handle = engine.handle_message

    async def counted(message: Any) -> Any:
        asked.append(message)
        return await handle(message)

    monkeypatch.setattr(engine, "handle_message", counted)
    return asked


def _bare(tracker: dict[str, Any]) -> dict[str, Any]:
    events = [{k: v for k, v in e.items() if k not in OWN} for e in tracker.get("events", ())]
    return {"events": events, "slots": tracker.get("slots")}


def _told(reply: Any) -> dict[str, Any]:
    kept = {k: v for k, v in vars(reply).items() if k not in (*OWN, "conversation", "vendor_user")}
    kept["metadata"] = {k: v for k, v in reply.metadata.items() if k != "episode"}
    kept["buttons"] = [(q.title, q.entry, q.action) for q in reply.quick_replies]
    return kept


async def test_the_same_conversation_is_played_from_memory(
    talk: Talk, without_rasa: list[object]
) -> None:
    said = [*SAID, *random.Random(7).sample(SAID, len(SAID)), *SAID[:3]]
    first = [[_told(r) for r in await talk.say(text, user="ann")] for text in said]
    asked = len(without_rasa)
    assert asked > 0
    again = [[_told(r) for r in await talk.say(text, user="bob")] for text in said]
    assert again == first
    assert len(without_rasa) == asked, "Rasa was asked again"
    assert _bare(await talk.tracker("bob")) == _bare(await talk.tracker("ann"))


async def test_memory_and_rasa_agree_after_every_pair_of_messages(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = list(itertools.product(SAID[:2] + SAID[4:], repeat=2))
    for first, second in pairs:
        for text in (first, second):
            await talk.say(text, user=f"{first} {second}")
    known = {pair: _bare(await talk.tracker(" ".join(pair))) for pair in pairs}

    def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(Replays, "find", nothing)
    for first, second in pairs:
        for text in (first, second):
            await talk.say(text, user=f"rasa {first} {second}")
        assert _bare(await talk.tracker(f"rasa {first} {second}")) == known[first, second]


async def test_a_handoff_is_never_played(talk: Talk, without_rasa: list[object]) -> None:
    for user in ("ann", "bob"):
        await talk.say("person", user=user)
    assert len(without_rasa) == 2


BEFORE = {"events": [{"event": "action", "name": "action_listen", "timestamp": 1.0}], "slots": {}}
PARSED = {"intent": {"name": "greet"}, "entities": []}


def _after(*events: dict[str, Any], **slots: Any) -> dict[str, Any]:
    return {"events": [*BEFORE["events"], *events], "slots": slots}


USER = {"event": "user", "intent": "greet", "timestamp": 2.0, "id": "m1"}
GREETED = (
    USER,
    {"event": "action", "name": "utter_greet", "timestamp": 3.0},
    {"event": "bot", "timestamp": 3.0},
    {"event": "action", "name": "action_listen", "timestamp": 4.0},
)
SENT = [{"text": "Hello", "utter_action": "utter_greet"}]


def test_what_was_learned_is_found() -> None:
    memory = Replays()
    assert memory.find(BEFORE, PARSED) is None
    memory.learn(BEFORE, _after(*GREETED), PARSED, SENT)
    plan = memory.find(BEFORE, PARSED)
    assert plan is not None
    assert (plan.utters, plan.dropped, len(plan.added)) == (("utter_greet",), 0, 4)
    assert memory.find({**BEFORE, "slots": {"language": "hi"}}, PARSED) is None
    assert memory.find({"events": [], "slots": {}}, PARSED) is None
    assert memory.find(BEFORE, {**PARSED, "intent": {"name": "thanks"}}) is None


@pytest.mark.parametrize(
    ("after", "sent"),
    [
        (_after(*GREETED, language="hi"), SENT),
        (_after(*GREETED), []),
        (_after(*GREETED), [{"text": "Hello", "utter_action": "utter_other"}]),
        (_after(*GREETED[1:]), SENT),
        (_after(USER, {"event": "action", "name": "action_handoff", "timestamp": 3.0}), []),
        (_after(*GREETED, {"event": "rewind", "timestamp": 5.0}), SENT),
        (_after(*GREETED, {"event": "slot", "name": "a", "value": 1, "timestamp": 5.0}), SENT),
    ],
    ids=["slot", "silent", "other words", "no message", "action", "taken back", "slot event"],
)
def test_what_is_not_plain_is_not_learned(after: dict[str, Any], sent: list[Any]) -> None:
    memory = Replays()
    memory.learn(BEFORE, after, PARSED, sent)
    assert memory.find(BEFORE, PARSED) is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST_PLANS", 2)
    memory = Replays()
    befores = [{**BEFORE, "slots": {"n": n}} for n in range(3)]
    for before in befores:
        memory.learn(before, _after(*GREETED, **before["slots"]), PARSED, SENT)
    assert [memory.find(before, PARSED) is not None for before in befores] == [False, True, True]
