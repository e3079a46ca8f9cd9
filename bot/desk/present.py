"""Turn stored values into what people read; pure functions, used as template filters."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.conversation.states import State
from bot.desk import reasons
from bot.desk.thread import Item
from bot.language import codes

STATES = {
    State.BOT: "With the bot",
    State.WAITING: "Waiting",
    State.ASSIGNED: "Assigned",
    State.SNOOZED: "Snoozed",
    State.RESOLVED: "Resolved",
    State.CLOSED: "Closed",
}
AUTHORS = {"customer": "Customer", "bot": "Bot", "agent": "Agent", "automatic": "Automatic"}
DELIVERY = {
    "queued": "Sending", "sent": "Sent", "delivered": "Delivered", "read": "Read",
    "failed": "Not delivered", "dead": "Not delivered",
}  # fmt: skip
OUTCOMES = {
    "solved": "Solved",
    "partly-solved": "Partly solved",
    "not-solved": "Not solved",
    "customer-left": "Customer left",
    "spam": "Spam",
}
"""What `conversation.resolved` may say; the names go to the reports."""

_READING_LABELS = {
    "intent": "Intent", "entry": "Entry", "tapped": "Tapped", "confidence": "Confidence",
    "threshold": "Needs", "margin": "Lead", "ranking": "Ranking", "sentiment": "Sentiment",
    "negative": "Negative", "language": "Language", "script": "Script", "decision": "Decision",
    "cause": "Cause", "choices": "Offered", "content_version": "Content version",
}  # fmt: skip


def customer_name(name: str, conversation_id: str) -> str:
    """Name a customer: as the channel reported, else a stable short stand-in."""
    visible = "".join(c for c in name if unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs"})
    cleaned = " ".join(visible.split())
    return cleaned[:80] if cleaned else f"Visitor {conversation_id[-4:].upper()}"


def initials(name: str) -> str:
    """One or two letters for a round badge, in the name's own script."""
    letters = [word[0] for word in name.split() if word[0].isalnum()]
    return "".join(letters[:2]).upper() or "?"


def hue(key: str) -> int:
    """A badge colour class, 0–7, the same for the same customer on every machine."""
    return sum(key.encode("utf-8", "replace")) % 8


def snippet(text: str) -> str:
    """One line of a message."""
    return " ".join(text.split())


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def clock(at: float) -> str:
    """`14:05` in UTC; the page shows local time as soon as its script runs."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


def duration(seconds: float) -> str:
    """Shortest useful form: `45 s`, `12 min`, `3 h 05`, `2 d 4 h`. live/clock.js does the same."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d}"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def percent(value: float | None) -> str:
    """`31 %` of a share; `–` when unknown."""
    return "–" if value is None else f"{value * 100:.0f} %"


def mood(negative: float | None, limit: float) -> str:
    """Word for the running negativity (0–1): `calm`, `uneasy` or `unhappy`; "" when unknown.

    Args:
        limit: Running mean at which the bot hands off (settings); uneasy begins at two thirds.
    """
    if negative is None:
        return ""
    if negative >= limit:
        return "unhappy"
    return "uneasy" if negative >= limit * 2 / 3 else "calm"


def language(code: str) -> str:
    """Name a language in itself; romanised ones say so."""
    if not code or code == codes.UNDETERMINED:
        return "Unknown"
    own = codes.name(code)
    return f"{own} (Latin)" if code.lower().endswith("-latn") else own


def delivery(state: str) -> str:
    return DELIVERY.get(state, state)


def state_name(state: str) -> str:
    return STATES.get(State(state), state) if state in set(State) else state


def cause_short(cause: str | None) -> str:
    return reasons.short(cause)


def reading_lines(reading: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The bot's reading of a message as label and value, known keys first, nothing lost."""
    lines = []
    for key in [*_READING_LABELS, *(k for k in reading if k not in _READING_LABELS)]:
        value = reading.get(key)
        if value is None or value is False or value in ("", [], {}):
            continue
        label = _READING_LABELS.get(key, key.replace("_", " ").capitalize())
        lines.append((label, _value(key, value)))
    return lines


def _value(key: str, value: Any) -> str:
    if key == "language" and isinstance(value, str):
        return f"{language(value)} · {value}"
    if key == "ranking" and isinstance(value, list):
        pairs = [pair for pair in value if isinstance(pair, list | tuple) and len(pair) == 2]
        return ", ".join(f"{label} {_value('', score)}" for label, score in pairs)
    if value is True:
        return "yes"
    if key == "sentiment" and isinstance(value, Mapping):
        known = [str(value["label"])] if "label" in value else []
        shares = [f"{k} {percent(value[k])}" for k in ("negative", "positive") if k in value]
        return " · ".join(known + shares) or "–"
    if isinstance(value, float):
        return percent(value) if 0 <= value <= 1 else f"{value:.2f}"
    if isinstance(value, Mapping):
        return " · ".join(f"{k} {_value('', v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value("", v) for v in value[:8])
    return str(value)[:200]


def event_line(item: Item, names: Mapping[str, str]) -> str:
    """One sentence for something that happened."""
    data, who = item.data, item.author_name
    if item.author == "handoff.requested":
        cause = data.get("cause")
        named = {**data, "agent": data.get("actor_id", "")}
        detail = data.get("detail") if isinstance(data.get("detail"), Mapping) else named
        return "Handed off: " + reasons.sentence(cause, detail, names)
    if item.author == "handoff.transferred":
        return f"{who or 'An agent'} passed the conversation on"
    if item.author == "handoff.requeued":
        return "The agent went offline; the conversation waits again"
    if item.author == "handoff.assigned":
        waited = data.get("wait_s")
        after = f" after {duration(waited)}" if isinstance(waited, int | float) and waited else ""
        return f"{who or 'An agent'} joined{after}"
    if item.author == "handoff.returned":
        return f"{who or 'An agent'} returned the conversation to the bot"
    if item.author == "conversation.resolved":
        outcome = OUTCOMES.get(str(data.get("outcome")), str(data.get("outcome", "")))
        words = " · ".join(word for word in (str(data.get("topic", "")), outcome) if word)
        return f"{who or 'An agent'} resolved it" + (f": {words}" if words else "")
    if item.author == "language.switched" and data.get("to"):
        return f"The customer changed to {language(str(data['to']))}"
    return _EVENT_LINES.get(item.author, item.author)


def mood_line(items: Sequence[Item]) -> str:
    """Points of a line over the customer's messages, 200 wide and 40 high, up is negative.

    Empty with fewer than three readings: two points are no course.
    """
    values = [
        float(item.reading["negative"])
        for item in items
        if item.author == "customer"
        and item.reading
        and isinstance(item.reading.get("negative"), int | float)
    ]
    if len(values) < 3:
        return ""
    step = 200 / (len(values) - 1)
    return " ".join(f"{at * step:.0f},{38 - 36 * value:.1f}" for at, value in enumerate(values))


_EVENT_LINES = {
    "episode.started": "New episode",
    "episode.closed": "Closed by itself",
    "handoff.cancelled": "The customer went back to the bot",
    "turn.failed": "The bot failed on a message",
    "message.failed": "A message was not delivered",
    "language.switched": "The language changed",
}

FILTERS = {
    "customer_name": customer_name, "initials": initials, "hue": hue, "snippet": snippet,
    "iso": iso, "clock": clock, "duration": duration, "percent": percent, "mood": mood,
    "language": language, "delivery": delivery, "state_name": state_name,
    "cause_short": cause_short, "reading_lines": reading_lines, "mood_line": mood_line,
    "event_line": event_line,
}  # fmt: skip
