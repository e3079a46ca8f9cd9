"""The reason of a handoff in one sentence, with the numbers of the decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from bot.conversation.states import Cause
from bot.desk.texts import Texts


def short(texts: Texts, cause: str | None) -> str:
    """Name a cause for the list, where two or three words fit; an unknown one as it is."""
    return texts.word("cause", cause) if cause else ""


def sentence(
    texts: Texts, cause: str | None, detail: Mapping[str, Any] | None, names: Mapping[str, str]
) -> Markup:
    """Explain a handoff.

    Args:
        cause: A `Cause` value.
        detail: Numbers and thresholds in force, as the escalation stored them; any may be missing.
        names: User id → display name.
    """
    if not cause:
        return Markup("")
    if cause not in set(Cause):
        return texts.html("reason.other", cause=cause)
    return _SENTENCES[Cause(cause)](texts, _Numbers(detail or {}), names)


class _Numbers:
    """Read-only view of the detail (`bot.conversation.escalation`) that never fails on a missing
    value."""

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


def _with_shares(
    texts: Texts, reason: Markup, what: str, value: float | None, limit: float | None
) -> Markup:
    """Add `Confidence 31%, needs 50%.`, or as much of it as is known."""
    if value is None:
        return reason
    if limit is None:
        numbers = texts.html(f"reason.{what}_only", value=percent(texts, value))
    else:
        numbers = texts.html(
            f"reason.{what}", value=percent(texts, value), limit=percent(texts, limit)
        )
    return Markup("{} {}").format(reason, numbers)


def percent(texts: Texts, share: float) -> Markup:
    return texts.html("format.percent", number=Markup(texts.number(share * 100)))  # noqa: S704


def _asked(texts: Texts, _n: _Numbers, _names: Mapping[str, str]) -> Markup:
    return texts.html("reason.asked")


def _low_confidence(texts: Texts, n: _Numbers, _names: Mapping[str, str]) -> Markup:
    entry = n.word("entry")
    reason = (
        texts.html("reason.not_understood_guess", entry=entry)
        if entry
        else texts.html("reason.not_understood")
    )
    limit = n.limit("confidence", "threshold")
    return _with_shares(texts, reason, "confidence", n.number("confidence"), limit)


def _narrow_margin(texts: Texts, n: _Numbers, _names: Mapping[str, str]) -> Markup:
    entry = n.word("entry")
    reason = (
        texts.html("reason.margin_entry", entry=entry) if entry else texts.html("reason.margin")
    )
    return _with_shares(texts, reason, "lead", n.number("margin"), n.limit("margin"))


def _repeated_fallback(texts: Texts, n: _Numbers, _names: Mapping[str, str]) -> Markup:
    before, limit = n.number("failures"), n.limit("failures")
    if before is None:
        return texts.html("reason.failed")
    # The detail counts failures before the message that handed off.
    reason = texts.html("reason.failed_times", n=int(before) + 1)
    if not limit:
        return reason
    return Markup("{} {}").format(reason, texts.html("reason.limit", limit=int(limit)))


def _negative(texts: Texts, n: _Numbers, _names: Mapping[str, str]) -> Markup:
    message, limit = n.number("negative"), n.limit("negative_message")
    mean, mean_limit = n.number("negative_mean"), n.limit("negative_mean")
    over_one = message is not None and (limit is None or message >= limit)
    if over_one or mean is None:
        return _with_shares(texts, texts.html("reason.unhappy"), "negative", message, limit)
    if mean_limit is not None and mean < mean_limit:
        # Below both limits: its words are angry, or its entry goes to a person sooner.
        return _with_shares(texts, texts.html("reason.unhappy"), "negative", message, None)
    return _with_shares(texts, texts.html("reason.unhappy_mean"), "mean", mean, mean_limit)


def _policy(texts: Texts, n: _Numbers, _names: Mapping[str, str]) -> Markup:
    entry = n.word("entry") or n.word("topic")
    return texts.html("reason.policy_entry", entry=entry) if entry else texts.html("reason.policy")


def _takeover(texts: Texts, n: _Numbers, names: Mapping[str, str]) -> Markup:
    who = names.get(n.word("agent"), "") or n.word("agent_name")
    return texts.html("reason.takeover", agent=who or texts.say("author.some_agent"))


def _failure(texts: Texts, n: _Numbers, _names: Mapping[str, str]) -> Markup:
    error = n.word("error")
    if error:
        return texts.html("reason.failure_error", error=error)
    return texts.html("reason.failure")


_SENTENCES: Mapping[Cause, Callable[[Texts, _Numbers, Mapping[str, str]], Markup]] = {
    Cause.ASKED: _asked,
    Cause.LOW_CONFIDENCE: _low_confidence,
    Cause.NARROW_MARGIN: _narrow_margin,
    Cause.REPEATED_FALLBACK: _repeated_fallback,
    Cause.NEGATIVE_SENTIMENT: _negative,
    Cause.POLICY: _policy,
    Cause.AGENT_TAKEOVER: _takeover,
    Cause.BOT_FAILURE: _failure,
}
