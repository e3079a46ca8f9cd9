"""Replay of turns that Rasa has decided before (docs/decisions/0006-recalled-turns.md).

With rules alone, Rasa's actions depend only on its input: the same window of intents and actions,
the same slots and the same intent lead to the same actions. Such a turn is stored and replayed
without Rasa, for a tenth of its cost; texts are generated each time. Turns in which a custom action
ran, a slot changed or anything unusual happened are never stored.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from rasa.core.nlg.generator import NaturalLanguageGenerator

Body = Mapping[str, Any]
"""A packed tracker: `events` (window) and `slots`; see bot.dialogue.store."""

MOST_PLANS = 4096
"""Most turns stored; three turns of a few intents are some hundred."""
_UTTERS = "utter_"
_HARMLESS = frozenset({"action_listen", "action_session_start"})
_KINDS = frozenset({"user", "user_featurization", "bot", "action", "session_started"})
_OWN = frozenset({"timestamp", "id"})
"""Keys of events that differ between equal turns."""


@dataclass(frozen=True)
class Plan:
    """Rasa's actions in a turn."""

    utters: tuple[str, ...]
    """Names of the responses, in order."""
    dropped: int
    """Number of events that left the window, at the front."""
    added: tuple[Mapping[str, Any], ...]
    """New events, without their times and ids."""


class Replays:
    """Turns that can be replayed; one per engine, since another model decides otherwise."""

    def __init__(self) -> None:
        self._plans: OrderedDict[object, Plan] = OrderedDict()

    def find(self, before: Body, parsed: Mapping[str, Any]) -> Plan | None:
        """Return the plan for this intent after this window, if there is one."""
        key = _key(before, parsed)
        plan = self._plans.get(key) if key is not None else None
        if plan is not None:
            self._plans.move_to_end(key)
        return plan

    def learn(
        self, before: Body, after: Body, parsed: Mapping[str, Any], outputs: Sequence[Body]
    ) -> None:
        """Store Rasa's actions in a turn, if they can be replayed.

        Args:
            outputs: What Rasa sent, in order.
        """
        key = _key(before, parsed)
        plan = _plan(before, after, outputs, parsed) if key is not None else None
        if plan is None:
            return
        self._plans[key] = plan
        if len(self._plans) > MOST_PLANS:
            self._plans.popitem(last=False)


async def play(
    plan: Plan,
    before: Body,
    parsed: Mapping[str, Any],
    *,
    nlg: NaturalLanguageGenerator,
    channel: str,
    message: str,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Replay a plan.

    Returns:
        The tracker after the turn, and the outputs to send.
    """
    tracker: Any = SimpleNamespace(latest_message=SimpleNamespace(parse_data=parsed))
    outputs = []
    for name in plan.utters:
        utter = _full_name(name, parsed)
        output = await nlg.generate(utter, tracker, channel)
        outputs.append({**(output or {}), "utter_action": utter})
    added = []
    for event in plan.added:
        stamped = {**event, "timestamp": time.time()}
        if event["event"] == "user":
            stamped["id"] = message
        added.append(stamped)
    events = [*before.get("events", ())[plan.dropped :], *added]
    return {"events": events, "slots": before.get("slots", {})}, outputs


def _key(before: Body, parsed: Mapping[str, Any]) -> object | None:
    """Return everything a rule could depend on; None when there is more than that."""
    if parsed["entities"]:
        return None
    events = []
    for event in before.get("events", ()):
        if event["event"] not in _KINDS:
            return None
        events.append(tuple([(k, v) for k, v in event.items() if k not in _OWN]))
    key = (
        parsed["intent"]["name"],
        "response_selector" in parsed,
        tuple(events),
        tuple(before.get("slots", {}).items()),
    )
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _plan(
    before: Body, after: Body, outputs: Sequence[Body], parsed: Mapping[str, Any]
) -> Plan | None:
    if after.get("slots", {}) != before.get("slots", {}):
        return None
    old, new = list(before.get("events", ())), list(after.get("events", ()))
    dropped = next(n for n in range(len(old) + 1) if new[: len(old) - n] == old[n:])
    added = new[len(old) - dropped :]
    if any(event["event"] not in _KINDS for event in added):
        return None
    actions = [event["name"] for event in added if event["event"] == "action"]
    utters = [name for name in actions if name.startswith(_UTTERS)]
    if len(utters) + sum(name in _HARMLESS for name in actions) < len(actions):
        return None
    if [_full_name(name, parsed) for name in utters] != [o.get("utter_action") for o in outputs]:
        return None
    if sum(event["event"] == "user" for event in added) != 1:
        return None
    bare = ({k: v for k, v in event.items() if k not in _OWN} for event in added)
    return Plan(tuple(utters), dropped, tuple(bare))


def _full_name(action: str, parsed: Mapping[str, Any]) -> str:
    """Return an action's response name; for a retrieval intent it includes the entry."""
    selected = parsed.get("response_selector", {}).get(action.removeprefix(_UTTERS))
    return str(selected["response"]["utter_action"]) if selected else action
