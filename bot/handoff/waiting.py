"""Notices of the queue to customers: place, estimate, or that no agent is there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from bot.content.texts import SystemTexts
from bot.routing.queue import QueuePlace
from bot.streams.messages import QuickReply

_STEPS_MIN = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240)
LEAVE, CANCEL = "leave", "cancel"
"""Actions of the buttons under a notice: leave a message; back to the bot."""


def minutes(estimate_s: float) -> int:
    """Round an estimate up to a usual number of minutes; never below the measured time."""
    for step in _STEPS_MIN:
        if estimate_s <= step * 60:
            return step
    return -(-int(estimate_s) // 3600) * 60


def notice(kind: str, place: QueuePlace, hours: str) -> tuple[str, dict[str, object]]:
    """Choose the notice for a place in the queue.

    Args:
        kind: `handoff` when the customer joins the queue, `waiting` while they wait, `late` when
            it takes longer than it should.
        hours: Opening hours in the customer's language (`bot.handoff.opening`).

    Returns:
        Response name and the values of its placeholders.
    """
    values: dict[str, object] = {"place": place.place, "hours": hours}
    if place.agents_online == 0:
        return f"utter_{kind}_{'closed' if place.closed else 'nobody'}", values
    if place.estimate_s is not None:
        return f"utter_{kind}_estimate", {**values, "minutes": minutes(place.estimate_s)}
    return f"utter_{kind}", values


def actions_under(utter: str) -> tuple[str, ...]:
    """Return the buttons of a notice; leaving a message is offered where the wait is long."""
    if utter.endswith(("_nobody", "_closed")) or utter.startswith("utter_late"):
        return (LEAVE, CANCEL)
    return (CANCEL,)


def buttons(
    texts: SystemTexts, message: str, language: str, actions: Sequence[str]
) -> tuple[QuickReply, ...]:
    """Make the buttons of a notice that is sent outside a turn."""
    return tuple(
        QuickReply(
            id=button_id(message, 0, position),
            title=texts.render(f"utter_title_{action}", language),
            action=action,
            position=position,
        )
        for position, action in enumerate(actions)
    )


def button_id(message: str, ordinal: int, position: int) -> str:
    """Return the id of a button, the same for a replayed turn."""
    return hashlib.sha256(f"{message}:{ordinal}:{position}".encode()).hexdigest()[:16]
