"""What happened, as rows for the log; figures are computed from these and from nothing else.

Names are `noun.past_verb`; docs/metrics.md says which figure uses which. Events carry ids and
numbers, never customer text (that lives in the `messages` table alone).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TYPES = frozenset(
    {
        "message.received",
        "message.sent",
        "message.failed",
        "message.refused",
        "language.detected",
        "language.switched",
        "intent.classified",
        "answer.sent",
        "answer.rated",
        "clarification.asked",
        "quick-reply.shown",
        "quick-reply.tapped",
        "handoff.requested",
        "handoff.assigned",
        "handoff.returned",
        "handoff.transferred",
        "handoff.requeued",
        "handoff.cancelled",
        "handoff.left",
        "handoff.delayed",
        "agent.replied",
        "conversation.resolved",
        "consent.given",
        "survey.answered",
        "conversation.reopened",
        "conversation.prioritised",
        "episode.started",
        "episode.closed",
        "sla.warned",
        "sla.breached",
        "contact.lost",
        "contact.regained",
        "turn.failed",
        "content.published",
    }
)


@dataclass(frozen=True)
class Event:
    """One row of the log."""

    id: str
    """Idempotency key: the same event stored twice is one row."""
    type: str
    """One of `TYPES`."""
    conversation: str = ""
    episode_id: str = ""
    channel: str = ""
    language: str = ""
    actor: str = "bot"
    """`customer`, `bot`, `agent` or `system`."""
    actor_id: str = ""
    content_version: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
    """Numbers and ids; keys are listed per type in docs/metrics.md."""
    occurred_at: float = field(default_factory=time.time)
    """Unix seconds."""

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"{self.type!r} is no event type; add it to bot.events.TYPES")

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))
