"""Parse data for Rasa, which acts on this alone: the customer's text is never interpreted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.understanding import parse
from bot.understanding.service import Reading

Parsed = Mapping[str, Any]
"""Rasa's format: `intent`, `entities`, and for an entry of the FAQ `response_selector`."""
ANSWER_FIRST = "answer_first"
"""Key of an entry that `action_handoff` answers before it passes the customer on."""


def intent(
    name: str, reading: Reading | None = None, understanding: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Shape a dialogue intent.

    Args:
        reading: Of the message, for the confidence; sure without one.
        understanding: The short form of the reading, for the NLG.
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
    """Shape a question that was read, with the entry that answers it."""
    return {**intent("faq", reading, understanding), **parse.parse_intent(reading)}


def tapped_entry(entry: str) -> dict[str, Any]:
    """Shape a question that was tapped."""
    return {**intent("faq"), "response_selector": parse.response_selector(entry, 1.0)}


def handoff(
    reading: Reading | None = None,
    understanding: Mapping[str, Any] | None = None,
    answer_first: str = "",
) -> dict[str, Any]:
    """Shape a handoff.

    Args:
        answer_first: Entry whose answer must not wait for the person.
    """
    parsed = intent("handoff", reading, understanding)
    if answer_first:
        parsed[ANSWER_FIRST] = answer_first
    return parsed


def name_of(parsed: Parsed) -> str:
    """Name of the intent; empty when there is nothing to ask Rasa."""
    return str(parsed["intent"]["name"])
