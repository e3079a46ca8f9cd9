"""Parse data for Rasa, which acts on it alone and never interprets the customer's text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.understanding import parse
from bot.understanding.service import Reading

Parsed = Mapping[str, Any]
"""Rasa's format: `intent`, `entities`, and for an entry of the FAQ `response_selector`."""
ANSWER_FIRST = "answer_first"
"""Key of an entry that `action_handoff` answers before the handoff."""


def intent(
    name: str, reading: Reading | None = None, understanding: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Build the parse data of a dialogue intent.

    Args:
        reading: Reading of the message, for the confidence; 1.0 without one.
        understanding: Short form of the reading, for the NLG.
    """
    parsed: dict[str, Any] = {
        "text": "",
        "intent": {"name": name, "confidence": reading.prediction.confidence if reading else 1.0},
        "entities": [],
        "intent_ranking": [],
    }
    if understanding:
        parsed["understanding"] = understanding
    return parsed


def question(reading: Reading, understanding: Mapping[str, Any] | None) -> dict[str, Any]:
    """Build the parse data of a question, with the entry that answers it."""
    return {**intent("faq", reading, understanding), **parse.parse_intent(reading)}


def tapped_entry(entry: str) -> dict[str, Any]:
    """Build the parse data of a tapped entry."""
    return {**intent("faq"), "response_selector": parse.response_selector(entry, 1.0)}


def handoff(
    reading: Reading | None = None,
    understanding: Mapping[str, Any] | None = None,
    answer_first: str = "",
) -> dict[str, Any]:
    """Build the parse data of a handoff.

    Args:
        answer_first: Entry that is answered before the handoff.
    """
    parsed = intent("handoff", reading, understanding)
    if answer_first:
        parsed[ANSWER_FIRST] = answer_first
    return parsed


def name_of(parsed: Parsed) -> str:
    """Return the name of the intent; empty when Rasa is not to be called."""
    return str(parsed["intent"]["name"])
