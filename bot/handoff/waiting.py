"""What a customer is told about the queue: place, honest estimate, or that nobody is there."""

from __future__ import annotations

from bot.conversation.store import QueuePlace

_STEPS_MIN = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240)


def minutes(estimate_s: float) -> int:
    """Round an estimate up to a figure people would say; never below what was measured."""
    for step in _STEPS_MIN:
        if estimate_s <= step * 60:
            return step
    return -(-int(estimate_s) // 3600) * 60


def notice(kind: str, place: QueuePlace, hours: str) -> tuple[str, dict[str, object]]:
    """Choose the notice.

    Args:
        kind: `handoff` when the customer joins the queue, `waiting` while they wait.
        hours: When people are there, in the customer's language.

    Returns:
        Response name and the values of its placeholders.
    """
    values: dict[str, object] = {"place": place.place, "hours": hours}
    if place.agents_online == 0:
        return f"utter_{kind}_nobody", values
    if place.estimate_s is not None:
        return f"utter_{kind}_estimate", {**values, "minutes": minutes(place.estimate_s)}
    return f"utter_{kind}", values
