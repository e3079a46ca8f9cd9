"""The tracker as a window: slots last for ever, events do not, and Rasa sees a proper tracker."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import builders
import pytest
import redis.asyncio
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    BotUttered,
    SessionStarted,
    SlotSet,
    UserUttered,
)
from rasa.shared.core.trackers import DialogueStateTracker

from bot.dialogue.rasa_call import RasaCall, calling_rasa
from bot.dialogue.store import WINDOW, WindowStore
from bot.errors import StoreUnavailable
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import connect

DOMAIN = Domain.from_yaml(
    """
version: "3.1"
intents: [ask]
slots:
  order: {type: text, influence_conversation: false, mappings: [{type: custom}]}
  count: {type: any, initial_value: 0, mappings: [{type: custom}]}
responses: {utter_x: [{text: x}]}
"""
)


@pytest.fixture
def store() -> WindowStore:
    return WindowStore(DOMAIN)


def _one_turn(tracker: DialogueStateTracker, n: int, *more: Any) -> None:
    tracker.update_with_events(
        [
            UserUttered(f"words of the customer {n}", {"name": "ask"}, [], message_id=f"m{n}"),
            ActionExecuted("utter_x"),
            BotUttered(f"an answer {n}", metadata={"big": "x" * 500}),
            *more,
            ActionExecuted("action_listen"),
        ],
        DOMAIN,
    )


def _new(store: WindowStore) -> DialogueStateTracker:
    tracker = store.init_tracker("c")
    tracker.update_with_events(
        [ActionExecuted("action_session_start"), SessionStarted(), ActionExecuted("action_listen")],
        DOMAIN,
    )
    return tracker


def _through_json(store: WindowStore, tracker: DialogueStateTracker) -> DialogueStateTracker:
    return store.unpack("c", json.loads(json.dumps(store.pack(tracker))))


def test_slots_survive_a_hundred_messages_also_in_the_copies_actions_get(
    store: WindowStore,
) -> None:
    tracker = _new(store)
    _one_turn(tracker, 0, SlotSet("order", "4711"))
    for n in range(1, 100):
        tracker = _through_json(store, tracker)
        _one_turn(tracker, n)
    tracker = _through_json(store, tracker)
    assert tracker.get_slot("order") == "4711"
    assert tracker.copy().get_slot("order") == "4711", "a copy replays from the start"


def test_a_slot_set_again_keeps_its_last_value(store: WindowStore) -> None:
    tracker = _new(store)
    for n in range(30):
        tracker = _through_json(store, tracker)
        _one_turn(tracker, n, SlotSet("order", str(n // 10)), SlotSet("count", n))
        assert _through_json(store, tracker).get_slot("order") == str(n // 10)
        assert _through_json(store, tracker).copy().get_slot("count") == n


def test_a_slot_set_from_outside_counts_before_and_after_the_session_start(
    store: WindowStore,
) -> None:
    """The turn puts the language there; `session_started` in the window must not wipe it."""
    body: dict[str, Any] = {"events": store.pack(_new(store))["events"], "slots": {"order": "x"}}
    tracker = store.unpack("c", body)
    assert tracker.get_slot("order") == "x"
    assert tracker.copy().get_slot("order") == "x"
    assert store.pack(tracker)["slots"] == {"order": "x"}


def test_a_slot_taken_back_is_gone(store: WindowStore) -> None:
    tracker = _new(store)
    _one_turn(tracker, 0, SlotSet("order", "4711"))
    tracker = _through_json(store, tracker)
    _one_turn(tracker, 1, SlotSet("order", None))
    assert store.pack(tracker)["slots"] == {}
    assert _through_json(store, tracker).get_slot("order") is None


def test_the_window_stays_bounded_and_starts_where_a_turn_starts(store: WindowStore) -> None:
    tracker = _new(store)
    for n in range(60):
        tracker = _through_json(store, tracker)
        _one_turn(tracker, n)
        events = store.pack(tracker)["events"]
        assert len(events) <= max(WINDOW, 20)
        if n >= 2:
            listens = [e for e in events if e.get("name") == "action_listen"]
            assert len(listens) >= 3, "two whole turns: less looks like a new conversation"
        if n > 3:
            assert events[0]["name"] == "action_listen"
    assert len(json.dumps(store.pack(tracker))) < 3000, "it costs the same for ever"


def test_long_turns_keep_two_whole_turns_even_over_the_window(store: WindowStore) -> None:
    tracker = _new(store)
    for n in range(8):
        _one_turn(tracker, n, *[SlotSet("count", i) for i in range(12)])
        tracker = _through_json(store, tracker)
    events = store.pack(tracker)["events"]
    users = [e for e in events if e["event"] == "user"]
    assert len(users) == 2
    assert events[0]["name"] == "action_listen"


def test_the_words_of_nobody_are_kept_there(store: WindowStore) -> None:
    tracker = _new(store)
    _one_turn(tracker, 5)
    packed = json.dumps(store.pack(tracker))
    assert "words of the customer" not in packed
    assert "an answer" not in packed


def test_what_comes_back_is_what_the_rules_look_at(store: WindowStore) -> None:
    tracker = _new(store)
    _one_turn(tracker, 1)
    again = _through_json(store, tracker)
    assert [type(e) for e in again.events] == [type(e) for e in tracker.events]
    assert again.latest_message is not None
    assert again.latest_message.intent["name"] == "ask"
    assert again.latest_action_name == "action_listen"
    before = tracker.past_states(DOMAIN)
    for state in before:
        state.get("user", {}).pop("text", None)  # rules look at intents
    assert again.past_states(DOMAIN) == before


# — where it is kept —


def _asking(**tracker: Any) -> RasaCall:
    made = builders.rasa_call()
    made.tracker = tracker
    return made


async def test_inside_a_turn_the_turn_carries_the_tracker(store: WindowStore) -> None:
    store._client = None  # any touch of Redis would have to connect
    with calling_rasa(_asking()) as rasa_call:
        assert await store.retrieve("c") is None
        tracker = await store.get_or_create_tracker("c")
        _one_turn(tracker, 1, SlotSet("order", "4711"))
        await store.save(tracker)
        again = await store.retrieve("c")
    assert rasa_call.tracker["slots"] == {"order": "4711"}
    assert again is not None
    assert again.get_slot("order") == "4711"
    assert store._client is None


async def test_slots_alone_are_a_conversation_that_starts(store: WindowStore) -> None:
    with calling_rasa(_asking(slots={"order": "x"})):
        tracker = await store.retrieve("c")
    assert tracker is not None
    assert tracker.get_slot("order") == "x"
    assert tracker.latest_action_name == "action_listen"


async def test_outside_a_turn_redis_keeps_it(
    store: WindowStore,
    redis: redis.asyncio.Redis,
    redis_url: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    store._client = redis
    tracker = await store.get_or_create_tracker("c")
    _one_turn(tracker, 1, SlotSet("order", "4711"))
    await store.save(tracker)
    again = await store.retrieve("c")
    assert again is not None
    assert again.get_slot("order") == "4711"
    key = redis_keys.tracker(redis_keys.shard_of("c", settings.shards), "c")
    assert 0 < await redis.ttl(key) <= redis_keys.CONVERSATION_TTL_S
    assert await store.exists("c")
    assert not await store.exists("nobody")


async def test_a_dead_redis_raises_instead_of_forgetting_the_customer(
    store: WindowStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store._client = connect(replace(settings, redis_url="unix:///nonexistent/valkey.sock"))
    with pytest.raises(StoreUnavailable):
        await store.retrieve("c")
    with pytest.raises(StoreUnavailable):
        await store.save(_new(store))
    await store._client.aclose()
