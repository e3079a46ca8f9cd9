"""The decision to answer, ask back or hand off, with its cause and numbers.

A pure function over numbers; thresholds come from the settings. Order matters: first what the
customer asked for, then faults of the bot, then the customer's mood, then the bot's confidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bot.conversation.states import Cause
from bot.settings import Thresholds

SOONER = 0.1
"""How much sooner an entry hands off whose policy is a person in a bad mood."""


@dataclass(frozen=True)
class Signals:
    """Facts about a message that the decision is made from."""

    intent: str = ""
    """`faq`, a dialogue intent, or empty when no intent is sure enough."""
    entry: str = ""
    """Best entry, whatever its confidence."""
    entry_needs_person: bool = False
    """The entry's policy sends it to a person."""
    person_when_negative: bool = False
    """Whether the entry's policy sends it to a person in a bad mood."""
    aimed_at_us: bool = False
    """Whether a bad mood is about us: anger, a complaint about the service, or a matter of the shop
    the bot has no answer to. A problem it can answer is no reason by itself to hand off, nor is
    bad news about something else."""
    angry: bool = False
    """Whether the message is anger at us in whatever words, beside whatever else it says."""
    confidence: float = 0.0
    """Calibrated, 0–1."""
    threshold: float = 0.0
    """The classifier's own threshold, 0–1."""
    margin: float = 1.0
    """Lead over the second best, 0–1."""
    rival_is_entry: bool = False
    """Whether the second best is another entry, so that a choice makes sense."""
    asked_for_person: bool = False
    not_helped: bool = False
    """The customer said the last answer did not help."""
    negative: float = 0.0
    """Probability that this message is negative, 0–1."""
    negative_mean: float = 0.0
    """Running mean including this message, 0–1."""
    negative_count: int = 0
    """Messages in the running mean."""
    failures: int = 0
    """Failures in a row before this message."""
    bot_failed: bool = False
    """The turn gave no answer or raised."""
    tapped: bool = False
    """Whether a quick reply was tapped, which leaves no doubt."""
    wordless: bool = False
    """Whether it has no letters, such as a thumb; not to understand it is no failure."""


@dataclass(frozen=True)
class Decision:
    """The decision and its reasons."""

    kind: str
    """`answer`, `clarify` or `handoff`."""
    cause: Cause | None = None
    """Cause of a handoff; for a clarification the cause a handoff would have had."""
    numbers: Mapping[str, Any] | None = None
    """The numbers it was made from, and the thresholds."""
    failed: bool = False
    """Whether this message counts as a failure in a row."""


def decide(signals: Signals, thresholds: Thresholds) -> Decision:
    """Decide whether to answer, ask back or hand off."""
    numbers = _numbers(signals, thresholds)
    if signals.bot_failed:
        return Decision("handoff", Cause.BOT_FAILURE, numbers, failed=True)
    if signals.asked_for_person:
        return Decision("handoff", Cause.ASKED, numbers)
    if signals.entry_needs_person and signals.intent == "faq":
        return Decision("handoff", Cause.POLICY, numbers)
    if not signals.tapped and _too_negative(signals, thresholds):
        return Decision("handoff", Cause.NEGATIVE_SENTIMENT, numbers)
    doubt = _doubt(signals, thresholds)
    if doubt is None:
        return Decision("answer")
    if signals.wordless:
        return Decision("clarify", doubt, numbers)
    if signals.failures + 1 >= thresholds.failures:
        cause = doubt if signals.failures == 0 else Cause.REPEATED_FALLBACK
        return Decision("handoff", cause, numbers, failed=True)
    return Decision("clarify", doubt, numbers, failed=True)


def _too_negative(signals: Signals, thresholds: Thresholds) -> bool:
    if signals.angry:
        return True
    sooner = SOONER if signals.person_when_negative else 0.0
    if signals.aimed_at_us and signals.negative >= thresholds.negative_message - sooner:
        return True
    return (
        signals.negative_count >= thresholds.negative_messages
        and signals.negative_mean >= thresholds.negative_mean
    )


def _doubt(signals: Signals, thresholds: Thresholds) -> Cause | None:
    if signals.tapped:
        return Cause.REPEATED_FALLBACK if signals.not_helped else None
    if signals.not_helped:
        return Cause.REPEATED_FALLBACK
    if signals.intent in ("", "out_of_scope", "angry"):
        return Cause.LOW_CONFIDENCE
    if signals.intent != "faq":
        return None
    if signals.confidence < thresholds.confidence:
        return Cause.LOW_CONFIDENCE
    if signals.rival_is_entry and signals.margin < thresholds.margin:
        return Cause.NARROW_MARGIN
    return None


def _numbers(signals: Signals, thresholds: Thresholds) -> dict[str, Any]:
    numbers = {
        "entry": signals.entry,
        "confidence": round(signals.confidence, 3),
        "threshold": round(max(signals.threshold, thresholds.confidence), 3),
        "margin": round(signals.margin, 3),
        "negative": round(signals.negative, 3),
        "negative_mean": round(signals.negative_mean, 3),
        "failures": signals.failures,
    }
    return {**numbers, "thresholds": asdict(thresholds)}
