"""Events of a conversation as one sentence each."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from bot.desk.conversation import present, reasons
from bot.desk.conversation.thread import Item
from bot.desk.texts import Texts

_PLAIN = {
    "episode.started": "event.episode_started",
    "handoff.left": "event.handoff_left",
    "handoff.delayed": "event.handoff_delayed",
    "episode.closed": "event.episode_closed",
    "conversation.reopened": "event.reopened",
    "handoff.transferred": "event.handoff_transferred",
    "handoff.requeued": "event.handoff_requeued",
    "handoff.returned": "event.handoff_returned",
    "handoff.cancelled": "event.handoff_cancelled",
    "turn.failed": "event.turn_failed",
    "consent.given": "event.consent_given",
    "message.failed": "event.message_failed",
    "contact.lost": "event.contact_lost",
    "contact.regained": "event.contact_regained",
    "language.switched": "event.language_switched",
}
"""Events whose sentence needs no more than who did it."""


def event_line(texts: Texts, item: Item, names: Mapping[str, str]) -> Markup:
    """One sentence for something that happened."""
    data, who = item.data, item.author_name or texts.say("author.some_agent")
    if item.author == "handoff.requested":
        cause = data.get("cause")
        named = {**data, "agent": data.get("actor_id", "")}
        detail = data.get("detail") if isinstance(data.get("detail"), Mapping) else named
        return texts.html(
            "event.handoff_requested", reason=reasons.sentence(texts, cause, detail, names)
        )
    if item.author == "handoff.assigned":
        who = names.get(str(data.get("to", "")), who)  # a colleague, or the routing, gave it
        waited = data.get("wait_s")
        if not isinstance(waited, int | float) or not waited:
            return texts.html("event.handoff_assigned", agent=who)
        return texts.html(
            "event.handoff_assigned_after", agent=who, time=present.duration(texts, waited)
        )
    if item.author == "conversation.resolved":
        outcome = texts.word("outcome", str(data.get("outcome", "")))
        subject = str(data.get("topic", ""))
        words = " · ".join(
            word for word in (subject and present.topic(texts, subject), outcome) if word
        )
        if not words:
            return texts.html("event.resolved", agent=who)
        return texts.html("event.resolved_as", agent=who, words=words)
    if item.author == "conversation.prioritised":
        level = texts.word("priority", str(data.get("priority", "")))
        return texts.html("event.prioritised", agent=who, priority=level)
    if item.author == "episode.closed" and data.get("outcome") == "blocked":
        return texts.html("event.closed_blocked")
    if item.author == "message.failed" and data.get("reason"):
        reason = texts.word("failed", str(data["reason"]))
        return texts.html("event.message_failed_because", reason=reason)
    if item.author == "sla.breached":
        return texts.html("event.sla_breached", clock=texts.word("sla", str(data.get("clock", ""))))
    if item.author == "language.switched" and data.get("to"):
        return texts.html("event.language_to", language=present.language(texts, str(data["to"])))
    if item.author == "survey.answered":
        key = "event.rated_saying" if data.get("words") else "event.rated"
        comment = present.snippet(str(data.get("words", "")))
        return texts.html(key, score=int(data.get("score", 0)), most=5, words=comment)
    key = _PLAIN.get(item.author, "")
    return texts.html(key, agent=who) if key else Markup("<bdi>{}</bdi>").format(item.author)
