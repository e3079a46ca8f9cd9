"""Formatting of stored values for readers; pure functions, most of them template filters.

Those that need words take the reader's `Texts` first; templates pass them by themselves.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from markupsafe import Markup

from bot.desk.conversation import reasons
from bot.desk.texts import Texts
from bot.handoff import opening
from bot.language import codes

OUTCOMES = ("solved", "partly-solved", "not-solved", "customer-left", "spam")
"""What `conversation.resolved` may say; the names go to the reports, `outcome.*` is shown."""


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


def audit_line(texts: Texts, action: str, who: str, subject: str) -> Markup:
    """One sentence for a line of the audit log."""
    key = f"audit.{action}"
    if texts.has(key):
        return texts.html(key, who=who, subject=subject)
    return texts.html("audit.other", who=who, action=action, subject=subject)


def word(texts: Texts, value: str, section: str, otherwise: str = "") -> str:
    """Name a stored value by a section of the texts, such as `state` or `role`."""
    return texts.word(section, value, otherwise)
