"""Tracker store for Rasa: the last few events, and a snapshot of the slots.

Rasa replays a tracker's whole history several times per message; a window makes the 3,000th message
cost what the 10th does. The full history is in SQL. In a turn nothing is read or written here: the
turn has the tracker and commits it. Outside a turn (`rasa shell`) Redis is used directly.
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Iterable
from typing import Any

from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    BotUttered,
    Event,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUttered,
)
from rasa.shared.core.trackers import DialogueStateTracker

from bot import settings
from bot.dialogue import rasa_call
from bot.dialogue.rasa_call import Tracker
from bot.stores import redis_client, redis_keys

WINDOW = 14
"""Events kept: three turns with one answer each are fifteen; measured in
docs/decisions/0005-tracker-window.md."""
LEAST_TURNS = 2
"""A one-turn window looks like a new conversation to rules with `conversation_start`."""
_SNAPSHOT = "_samvad_snapshot"


class WindowStore(TrackerStore):
    """Tracker store that keeps a window of events, and the slots that have been changed."""

    def __init__(
        self,
        domain: Domain | None,
        host: str | None = None,
        event_broker: EventBroker | None = None,
        window: int = WINDOW,
        **_: Any,
    ) -> None:
        super().__init__(domain or Domain.empty(), event_broker)
        self.window = window
        self._client: Any = None

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        call = rasa_call.current()
        body = call.tracker if call else await self._read(sender_id)
        if body.get("events"):
            return self.unpack(sender_id, body)
        # A first message: Rasa would start the session itself, but not when slots are there first.
        return self.unpack(sender_id, {**body, "events": _START}) if body.get("slots") else None

    async def save(self, tracker: DialogueStateTracker) -> None:
        body = self.pack(tracker)
        call = rasa_call.current()
        if call:
            call.tracker = body
        else:
            await self._write(tracker.sender_id, body)

    async def create_tracker(
        self, sender_id: str, append_action_listen: bool = True
    ) -> DialogueStateTracker:
        """Start a conversation without saving it; the commit of the turn does."""
        tracker = self.init_tracker(sender_id)
        if append_action_listen:
            tracker.update(ActionExecuted("action_listen"), self.domain)
        return tracker

    async def get_or_create_tracker(
        self,
        sender_id: str,
        max_event_history: int | None = None,
        append_action_listen: bool = True,
    ) -> DialogueStateTracker:
        return await self.retrieve(sender_id) or await self.create_tracker(
            sender_id, append_action_listen
        )

    async def retrieve_full_tracker(self, sender_id: str) -> DialogueStateTracker | None:
        return await self.retrieve(sender_id)

    async def exists(self, conversation_id: str) -> bool:
        return await self.retrieve(conversation_id) is not None

    async def keys(self) -> Iterable[str]:
        return []

    async def stream_events(self, tracker: DialogueStateTracker, *_: Any, **__: Any) -> None:
        """Nothing to stream: events of the log are written with the turn."""

    def pack(self, tracker: DialogueStateTracker) -> dict[str, Any]:
        """Shape a tracker as `{"events": […], "slots": {…}}`, cut to the window."""
        events = [e for e in tracker.events if not getattr(e, _SNAPSHOT, False)]
        starts = [
            i
            for i, e in enumerate(events)
            if isinstance(e, ActionExecuted) and e.action_name == "action_listen"
        ]
        cut = 0
        if len(events) > self.window and len(starts) > LEAST_TURNS:
            fitting = [i for i in starts[:-LEAST_TURNS] if len(events) - i <= self.window]
            cut = fitting[0] if fitting else starts[-LEAST_TURNS - 1]
        slots = {
            name: slot.value
            for name, slot in tracker.slots.items()
            if slot.value is not None and slot.value != slot.initial_value
        }
        return {"events": [_small(e) for e in events[cut:]], "slots": slots}

    def unpack(self, sender_id: str, body: Tracker) -> DialogueStateTracker:
        """Rebuild a tracker.

        Slots become events: Rasa passes copies to actions and NLG, and a copy replays events from
        the initial values, so values that are only set would be lost. They come first, but after
        the start of a session, which resets all slots.
        """
        tracker = self.init_tracker(sender_id)
        events = [_big(data) for data in body.get("events", ())]
        resets = [i for i, e in enumerate(events) if isinstance(e, SessionStarted | Restarted)]
        snapshot = [SlotSet(name, value) for name, value in body.get("slots", {}).items()]
        for event in snapshot:
            setattr(event, _SNAPSHOT, True)
        place = resets[-1] + 1 if resets else 0
        tracker.events.extend([*events[:place], *snapshot, *events[place:]])
        tracker.replay_events()
        return tracker

    async def _read(self, sender_id: str) -> dict[str, Any]:
        client, key = self._connection(sender_id)
        text = await redis_client.guarded(client.get(key))
        return json.loads(text) if text else {}

    async def _write(self, sender_id: str, body: dict[str, Any]) -> None:
        client, key = self._connection(sender_id)
        old = await redis_client.guarded(client.get(key))
        whole = {**(json.loads(old) if old else {}), **body}
        await redis_client.guarded(
            client.set(key, json.dumps(whole), ex=redis_keys.CONVERSATION_TTL_S)
        )

    def _connection(self, sender_id: str) -> tuple[Any, str]:
        config = settings.load()
        if self._client is None:
            server = redis_client.ensure_server(config)
            if server:
                atexit.register(server.stop)
            self._client = redis_client.connect(config)
        shard = redis_keys.shard_of(sender_id, config.shards)
        return self._client, redis_keys.tracker(shard, sender_id)


_START = [
    {"event": "action", "name": "action_session_start"},
    {"event": "session_started"},
    {"event": "action", "name": "action_listen"},
]

_TYPES: dict[str, type[Event]] = {
    kind.type_name: kind for kind in (ActionExecuted, SessionStarted, SlotSet, BotUttered)
}


def _small(event: Event) -> dict[str, Any]:
    """Return an event without what the rules do not use; the texts are in SQL."""
    if isinstance(event, UserUttered):
        return {
            "event": "user",
            "intent": event.intent.get("name"),
            "timestamp": event.timestamp,
            "id": event.message_id,
        }
    if isinstance(event, BotUttered):
        return {"event": "bot", "timestamp": event.timestamp}
    data: dict[str, Any] = event.as_dict()
    data.pop("metadata", None)
    return {key: value for key, value in data.items() if value is not None}


def _big(data: dict[str, Any]) -> Event:
    if data["event"] == "user":
        intent = {"name": data["intent"], "confidence": 1.0}
        return UserUttered(
            text="",
            intent=intent,
            entities=[],
            parse_data={"intent": intent, "entities": [], "text": ""},
            timestamp=data["timestamp"],
            message_id=data.get("id"),
        )
    if data["event"] == "bot":
        return BotUttered(text="", timestamp=data["timestamp"])
    kind = _TYPES.get(data["event"])
    # Rasa's own lookup searches all subclasses for each event; these four are nearly all.
    event = kind._from_parameters(data) if kind else Event.from_parameters(data)
    assert event is not None  # noqa: S101 - we wrote it ourselves
    return event
