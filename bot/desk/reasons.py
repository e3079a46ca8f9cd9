"""Say in one sentence why a conversation came to a person, with the numbers that decided it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.conversation.states import Cause

SHORT = {
    Cause.ASKED: "Asked for a person",
    Cause.LOW_CONFIDENCE: "Not understood",
    Cause.NARROW_MARGIN: "Two answers fit",
    Cause.REPEATED_FALLBACK: "Bot failed repeatedly",
    Cause.NEGATIVE_SENTIMENT: "Unhappy",
    Cause.POLICY: "Always a person",
    Cause.AGENT_TAKEOVER: "Taken over",
    Cause.BOT_FAILURE: "Bot error",
}
"""For the list, where there is room for two or three words."""


def short(cause: str | None) -> str:
    """Name a cause for the list; an unknown one is shown as it is."""
    if not cause:
        return ""
    return SHORT[Cause(cause)] if cause in set(Cause) else cause


def sentence(cause: str | None, detail: Mapping[str, Any] | None, names: Mapping[str, str]) -> str:
    """Explain a handoff.

    Args:
        cause: A `Cause` value.
        detail: Numbers and thresholds in force, as the escalation stored them; any may be missing.
        names: User id → display name.
    """
    if not cause:
        return ""
    if cause not in set(Cause):
        return f"Handed off: {cause}."
    return _SENTENCES[Cause(cause)](_Numbers(detail or {}), names)


class _Numbers:
    """Read-only view of the detail (`bot.escalation`) that never fails on a missing value."""

    def __init__(self, detail: Mapping[str, Any]) -> None:
        self._detail = detail
        thresholds = detail.get("thresholds")
        self._limits: Mapping[str, Any] = thresholds if isinstance(thresholds, Mapping) else {}

    def number(self, key: str) -> float | None:
        return _number(self._detail.get(key))

    def limit(self, key: str, own: str = "") -> float | None:
        """Threshold in force; `own` is a key of the detail itself that wins."""
        return _number(self._detail.get(own)) if own in self._detail else self._share(key)

    def _share(self, key: str) -> float | None:
        return _number(self._limits.get(key))

    def word(self, key: str) -> str:
        value = self._detail.get(key)
        return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _shares(what: str, value: float | None, bound: str, limit: float | None) -> str:
    """` (confidence 31 %, needs 50 %)`, or as much of it as is known."""
    if value is None:
        return ""
    against = f", {bound} {_percent(limit)}" if limit is not None else ""
    return f" ({what} {_percent(value)}{against})"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _asked(_n: _Numbers, _names: Mapping[str, str]) -> str:
    return "The customer asked for a person."


def _low_confidence(n: _Numbers, _names: Mapping[str, str]) -> str:
    entry = n.word("entry")
    guess = f"; best guess “{entry}”" if entry else ""
    numbers = _shares(
        "confidence", n.number("confidence"), "needs", n.limit("confidence", "threshold")
    )
    return f"The bot did not understand the message{guess}{numbers}."


def _narrow_margin(n: _Numbers, _names: Mapping[str, str]) -> str:
    entry = n.word("entry")
    between = f"between “{entry}” and another answer" if entry else "between two answers"
    numbers = _shares("lead", n.number("margin"), "needs", n.limit("margin"))
    return f"The bot could not decide {between}{numbers}."


def _repeated_fallback(n: _Numbers, _names: Mapping[str, str]) -> str:
    before, limit = n.number("failures"), n.limit("failures")
    if before is None:
        return "The bot failed to help several times in a row."
    # The detail counts failures before the message that handed off.
    number = int(before) + 1
    times = "once" if number == 1 else f"{number} times in a row"
    return f"The bot failed to help {times}" + (f" (limit {limit:.0f})." if limit else ".")


def _negative(n: _Numbers, _names: Mapping[str, str]) -> str:
    message, limit = n.number("negative"), n.limit("negative_message")
    mean, mean_limit = n.number("negative_mean"), n.limit("negative_mean")
    over_one = message is not None and (limit is None or message >= limit)
    if over_one or mean is None:
        return f"The customer sounds unhappy{_shares('negative', message, 'limit', limit)}."
    numbers = _shares("negative on average", mean, "limit", mean_limit)
    return f"The customer has been unhappy for several messages{numbers}."


def _policy(n: _Numbers, _names: Mapping[str, str]) -> str:
    entry = n.word("entry") or n.word("topic")
    if entry:
        return f"Questions about “{entry}” always go to a person."
    return "This question always goes to a person."


def _takeover(n: _Numbers, names: Mapping[str, str]) -> str:
    who = names.get(n.word("agent"), "") or n.word("agent_name")
    return f"{who or 'An agent'} took the conversation over from the bot."


def _failure(n: _Numbers, _names: Mapping[str, str]) -> str:
    error = n.word("error")
    return "The bot had a technical error" + (f" ({error})." if error else ".")


_SENTENCES = {
    Cause.ASKED: _asked,
    Cause.LOW_CONFIDENCE: _low_confidence,
    Cause.NARROW_MARGIN: _narrow_margin,
    Cause.REPEATED_FALLBACK: _repeated_fallback,
    Cause.NEGATIVE_SENTIMENT: _negative,
    Cause.POLICY: _policy,
    Cause.AGENT_TAKEOVER: _takeover,
    Cause.BOT_FAILURE: _failure,
}
