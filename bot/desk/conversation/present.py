"""Turn stored values into what people read; pure functions, used as template filters.

Those that need words take the reader's `Texts` first; templates pass them by themselves.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import jinja2
from jinja2.runtime import Context
from markupsafe import Markup

from bot.desk.conversation import attached, reasons
from bot.desk.conversation.thread import Item
from bot.desk.texts import Texts
from bot.handoff import opening
from bot.language import codes

OUTCOMES = ("solved", "partly-solved", "not-solved", "customer-left", "spam")
"""What `conversation.resolved` may say; the names go to the reports, `outcome.*` is shown."""

_READING_KEYS = (
    "intent",
    "entry",
    "tapped",
    "confidence",
    "threshold",
    "margin",
    "ranking",
    "sentiment",
    "negative",
    "language",
    "script",
    "decision",
    "cause",
    "choices",
    "content_version",
)


def customer_name(texts: Texts, name: str, conversation_id: str) -> str:
    """Name a customer: as the channel reported, else a stable short stand-in."""
    visible = "".join(c for c in name if unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs"})
    cleaned = " ".join(visible.split())
    if cleaned:
        return cleaned[:80]
    return texts.say("author.visitor", code=conversation_id[-4:].upper())


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


def clock(texts: Texts, at: float) -> str:
    """`14:05` in UTC; the page shows local time as soon as its script runs."""
    return texts.clock(datetime.fromtimestamp(at, UTC).strftime("%H:%M"))


def duration(texts: Texts, seconds: float) -> str:
    """Shortest useful form: `45 s`, `12 min`, `3 h 05`, `2 d 4 h`; static/clock.js does so too."""
    whole = max(0, int(seconds))
    if whole < 60:
        return texts.say("script.seconds", n=whole)
    if whole < 3600:
        return texts.say("script.minutes", n=whole // 60)
    if whole < 86400:
        minutes = texts.clock(f"{whole % 3600 // 60:02d}")
        return texts.say("script.hours", hours=whole // 3600, minutes=minutes)
    return texts.say("script.days", days=whole // 86400, hours=whole % 86400 // 3600)


def zone(locale: str) -> str:
    """Time zone of a customer by the region of their locale; "" unless it has one zone only."""
    return opening.zone_for(locale, "") if locale else ""


def zone_name(texts: Texts, name: str) -> str:
    """Name a time zone, such as `India Time`."""
    return opening.zone_name(name, texts.language)


def percent(texts: Texts, value: float | None) -> str:
    """`31%` of a share; `–` when unknown."""
    return "–" if value is None else str(reasons.percent(texts, value))


def mood(negative: float | None, limit: float) -> str:
    """Class of the running negativity (0–1): `calm`, `uneasy` or `unhappy`; "" when unknown.

    Args:
        limit: Running mean at which the bot hands off (settings); uneasy begins at two thirds.
    """
    if negative is None:
        return ""
    if negative >= limit:
        return "unhappy"
    return "uneasy" if negative >= limit * 2 / 3 else "calm"


def language(texts: Texts, code: str) -> str:
    """Name a language in itself; romanised ones say so."""
    if not code or code == codes.UNDETERMINED:
        return texts.say("language.unknown")
    own = codes.name(code)
    return texts.say("language.latin", language=own) if code.lower().endswith("-latn") else own


def topic(texts: Texts, name: str) -> str:
    """Name a topic of the content pack; one the desk has no word for is spelled out."""
    spelled = name.replace("-", " ").replace("_", " ").capitalize()
    return texts.say(f"topic.{name}") if texts.has(f"topic.{name}") else spelled


def reading_lines(texts: Texts, reading: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The bot's reading of a message as label and value, known keys first, nothing lost."""
    lines = []
    for key in [*_READING_KEYS, *(k for k in reading if k not in _READING_KEYS)]:
        value = reading.get(key)
        if value is None or value is False or value in ("", [], {}):
            continue
        known = f"reading.{key}"
        label = texts.say(known) if texts.has(known) else key.replace("_", " ").capitalize()
        lines.append((label, _value(texts, key, value)))
    return lines


def _value(texts: Texts, key: str, value: Any) -> str:
    if key == "language" and isinstance(value, str):
        return f"{language(texts, value)} · {value}"
    if key in {"decision", "cause"} and isinstance(value, str):
        return texts.word(key, value)
    if key == "ranking" and isinstance(value, list):
        pairs = [pair for pair in value if isinstance(pair, list | tuple) and len(pair) == 2]
        return ", ".join(f"{label} {_value(texts, '', score)}" for label, score in pairs)
    if value is True:
        return texts.say("reading.affirmed")
    if key == "sentiment" and isinstance(value, Mapping):
        known = [texts.word("sentiment", str(value["label"]))] if "label" in value else []
        shares = [
            f"{texts.say(f'reading.{k}')} {percent(texts, value[k])}"
            for k in ("negative", "positive")
            if k in value
        ]
        return " · ".join(known + shares) or "–"
    if isinstance(value, float):
        return percent(texts, value) if 0 <= value <= 1 else texts.number(value, 2)
    if isinstance(value, Mapping):
        return " · ".join(f"{k} {_value(texts, '', v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(texts, "", v) for v in value[:8])
    return str(value)[:200]


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
        return texts.html("event.handoff_assigned_after", agent=who, time=duration(texts, waited))
    if item.author == "conversation.resolved":
        outcome = texts.word("outcome", str(data.get("outcome", "")))
        subject = str(data.get("topic", ""))
        words = " · ".join(word for word in (subject and topic(texts, subject), outcome) if word)
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
        return texts.html("event.language_to", language=language(texts, str(data["to"])))
    if item.author == "survey.answered":
        key = "event.rated_saying" if data.get("words") else "event.rated"
        told = snippet(str(data.get("words", "")))
        return texts.html(key, score=int(data.get("score", 0)), most=5, words=told)
    key = _EVENT_LINES.get(item.author, "")
    return texts.html(key, agent=who) if key else Markup("<bdi>{}</bdi>").format(item.author)


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


def audit_line(texts: Texts, action: str, who: str, subject: str) -> Markup:
    """One sentence for a line of the audit log."""
    key = f"audit.{action}"
    if texts.has(key):
        return texts.html(key, who=who, subject=subject)
    return texts.html("audit.other", who=who, action=action, subject=subject)


def word(texts: Texts, value: str, section: str) -> str:
    """Name a stored value by a section of the texts, such as `state` or `role`."""
    return texts.word(section, value)


_EVENT_LINES = {
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


def _read(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a filter that takes the reader's texts from the template's context."""

    @jinja2.pass_context
    def filtered(context: Context, *args: Any) -> Any:
        return function(context["texts"], *args)

    return filtered


FILTERS = {
    "initials": initials,
    "hue": hue,
    "snippet": snippet,
    "iso": iso,
    "mood": mood,
    "mood_line": mood_line,
    "customer_name": _read(customer_name),
    "clock": _read(clock),
    "duration": _read(duration),
    "percent": _read(percent),
    "language": _read(language),
    "topic": _read(topic),
    "reading_lines": _read(reading_lines),
    "event_line": _read(event_line),
    "audit_line": _read(audit_line),
    "word": _read(word),
    "reason": _read(reasons.sentence),
    "zone": zone,
    "zone_name": _read(zone_name),
    "number": _read(Texts.number),
    "file_size": _read(attached.size),
    "file_sign": attached.sign,
    "is_picture": attached.is_picture,
}
