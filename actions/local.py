"""Loader of the actions as plain coroutines for the engine, without HTTP.

The same classes serve `python -m rasa_sdk --actions actions`; both ways get the same tracker
fields, so an action must not depend on the full event list or on the domain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.handoff import ActionHandoff

ACTIONS: tuple[type[Action], ...] = (ActionHandoff,)


def load() -> dict[
    str, Callable[[Mapping[str, Any]], Awaitable[tuple[list[dict[str, Any]], list[Any]]]]
]:
    """Return name → coroutine function for `bot.dialogue.engine`."""
    return {action.name(): _runner(action) for action in (kind() for kind in ACTIONS)}


def _runner(
    action: Action,
) -> Callable[[Mapping[str, Any]], Awaitable[tuple[list[dict[str, Any]], list[Any]]]]:
    async def run(call: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[Any]]:
        dispatcher = CollectingDispatcher()
        tracker = Tracker(
            sender_id=call["sender_id"],
            slots=dict(call["slots"]),
            latest_message=dict(call["latest_message"]),
            events=list(call["events"]),
            paused=False,
            followup_action=None,
            active_loop={},
            latest_action_name=None,
        )
        result = action.run(dispatcher, tracker, {})
        events = await result if hasattr(result, "__await__") else result
        return dispatcher.messages, list(events or [])

    return run
