"""A reading as Rasa's parse data, as signals for the decision, and as the short form for agents."""

from __future__ import annotations

from datetime import date
from typing import Any

from bot.content.models import PERSON, PERSON_WHEN_NEGATIVE, Content, Entry
from bot.conversation.escalation import Decision, Signals
from bot.understanding.intents.prediction import FAQ_PREFIX, is_entry
from bot.understanding.service import IS_ANGRY, Reading

CHOICES = 3
"""Entries offered when the bot asks back."""
FEW_EXAMPLES = 8
"""Examples in all languages up to which an entry counts as young."""
LEAST_COSINE = 0.4
"""Cosine to an example from which a young entry is worth offering."""
ANGER_AT_US = 0.25
"""Anger from which a very negative message is taken to be about us."""
REPORT = 0.4
"""Share of its negativity by which a plain report of a problem counts in the running mean."""
LEAST_ANGER = 0.1
"""Anger below which a half understood matter is a plain report, however bad the news."""
ABOUT_US = 0.5
"""Confidence from which a message too unsure to be answered is still taken to be about us."""
LEAST_CHOICE = 0.1
"""Score below which an entry is a guess not worth a button."""


def parse_intent(reading: Reading) -> dict[str, Any]:
    """Shape the prediction the way Rasa's classifier and response selector do.

    Returns:
        `intent`, `intent_ranking`, `response_selector` (docs/decisions and Rasa's own format).
    """
    best = reading.prediction.label or ""
    ranking = [{"name": label, "confidence": score} for label, score in reading.prediction.ranking]
    parsed: dict[str, Any] = {
        "intent": {
            "name": reading.intent or "out_of_scope",
            "confidence": reading.prediction.confidence,
        },
        "intent_ranking": ranking,
    }
    if is_entry(best):
        parsed["response_selector"] = response_selector(
            best.removeprefix(FAQ_PREFIX), reading.prediction.confidence
        )
    return parsed


def response_selector(entry: str, confidence: float) -> dict[str, Any]:
    """Shape the answer's entry as Rasa's response selector does, so that `utter_faq` utters it."""
    key = f"{FAQ_PREFIX}{entry}"
    return {
        "all_retrieval_intents": ["faq"],
        "faq": {
            "response": {
                "intent_response_key": key,
                "utter_action": f"utter_{key}",
                "confidence": confidence,
                "responses": [],
            },
            "ranking": [{"intent_response_key": key, "confidence": confidence}],
        },
    }


def choices(reading: Reading, content: Content, today: date) -> list[str]:
    """List entries to offer when the bot asks back, best first; only those valid today.

    The classifier prefers entries with many examples; a young entry with few, whose example is the
    nearest of all, is offered first.
    """
    prediction = reading.prediction
    scores = prediction.scores or [confidence for _, confidence in prediction.ranking]
    ranked = [
        label.removeprefix(FAQ_PREFIX)
        for label, score in zip(prediction.labels, scores, strict=True)
        if is_entry(label) and score >= LEAST_CHOICE
    ]
    if prediction.nearest:
        _, label, cosine = prediction.nearest[0]
        entry = content.by_id.get(label.removeprefix(FAQ_PREFIX))
        if entry and cosine >= LEAST_COSINE and _count_examples(entry) <= FEW_EXAMPLES:
            ranked.insert(0, entry.id)
    offered = [entry for entry in dict.fromkeys(ranked) if content.answers(entry, today)]
    return offered[:CHOICES]


def negative_about_us(reading: Reading) -> float:
    """Return how much a message adds to the running mean of the mood, 0-1.

    Bad news that the bot has an entry for is no complaint about us unless it sounds angry. Of
    conversations of five plain reports, four in ten were handed off without this rule, one in a
    hundred with it; those that grow annoyed still are.
    """
    share = 1.0
    if reading.intent == "faq":
        share = min(max(reading.anger / ANGER_AT_US, REPORT), 1.0)
    return reading.sentiment.negative * share


def _count_examples(entry: Entry) -> int:
    return sum(len(texts) for texts in entry.examples.values())


def signals(reading: Reading, content: Content, *, also: str = "", **more: Any) -> Signals:
    """Build the signals the decision is made from.

    Args:
        also: Entry of a second question that may be answered today; if it needs a person, so does
            the message.
        more: Fields of the conversation, added or overriding.
    """
    prediction = reading.prediction
    entries = [e for e in (reading.entry, also) if e in content.by_id]
    policies = {content.by_id[e].policy for e in entries}
    needing = next((e for e in entries if content.by_id[e].policy == PERSON), "")
    second = prediction.ranking[1][0] if len(prediction.ranking) > 1 else ""
    values: dict[str, Any] = {
        "intent": reading.intent,
        "entry": needing or reading.entry,
        "entry_needs_person": bool(needing),
        "person_when_negative": reading.intent == "faq" and PERSON_WHEN_NEGATIVE in policies,
        "aimed_at_us": (
            reading.intent == "angry"
            or reading.anger >= ANGER_AT_US
            or (reading.intent == "faq" and PERSON_WHEN_NEGATIVE in policies)
            or (
                not reading.intent
                and is_entry(prediction.best)
                and prediction.confidence >= ABOUT_US
                and reading.anger >= LEAST_ANGER
            )
        ),
        "confidence": prediction.confidence,
        "threshold": prediction.threshold,
        "margin": prediction.margin,
        "rival_is_entry": is_entry(second),
        "asked_for_person": reading.intent == "ask_human" or reading.asks_for_person,
        "angry": reading.anger >= IS_ANGRY,
        "negative": reading.sentiment.negative,
        "negative_mean": reading.sentiment.negative,
        "negative_count": 1,
    }
    return Signals(**{**values, **more})


def understanding(
    reading: Reading, version: int, decision: Decision, offered: list[str]
) -> dict[str, Any]:
    """Shape a reading for the event and for agents: numbers, no words of the customer."""
    prediction = reading.prediction
    return {
        "language": reading.language.language,
        "script": reading.language.script,
        "romanised": reading.language.romanised,
        "mixed": list(reading.language.mixed),
        "intent": prediction.best,
        "confidence": round(prediction.confidence, 3),
        "threshold": round(prediction.threshold, 3),
        "margin": round(prediction.margin, 3),
        "ranking": [[label, round(score, 3)] for label, score in prediction.ranking[:3]],
        "sentiment": reading.sentiment.label,
        "negative": round(reading.sentiment.negative, 3),
        "content_version": version,
        "decision": decision.kind,
        "cause": decision.cause.value if decision.cause else None,
        "choices": offered,
    }
