"""The bot's reading of messages in words, and the line of the customer's mood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.desk.conversation import present
from bot.desk.conversation.thread import Item
from bot.desk.texts import Texts

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


def reading_lines(texts: Texts, reading: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The bot's reading of a message as label and value, known keys first, nothing lost."""
    lines = []
    for key in [*_READING_KEYS, *(k for k in reading if k not in _READING_KEYS)]:
        value = reading.get(key)
        if value is None or value is False or value in ("", [], {}):
            continue
        name = f"reading.{key}"
        label = texts.say(name) if texts.has(name) else key.replace("_", " ").capitalize()
        lines.append((label, _value(texts, key, value)))
    return lines


def _value(texts: Texts, key: str, value: Any) -> str:
    if key == "language" and isinstance(value, str):
        return f"{present.language(texts, value)} · {value}"
    if key in {"decision", "cause"} and isinstance(value, str):
        return texts.word(key, value)
    if key == "ranking" and isinstance(value, list):
        pairs = [pair for pair in value if isinstance(pair, list | tuple) and len(pair) == 2]
        return ", ".join(f"{label} {_value(texts, '', score)}" for label, score in pairs)
    if value is True:
        return texts.say("reading.affirmed")
    if key == "sentiment" and isinstance(value, Mapping):
        label = [texts.word("sentiment", str(value["label"]))] if "label" in value else []
        shares = [
            f"{texts.say(f'reading.{k}')} {present.percent(texts, value[k])}"
            for k in ("negative", "positive")
            if k in value
        ]
        return " · ".join(label + shares) or "–"
    if isinstance(value, float):
        return present.percent(texts, value) if 0 <= value <= 1 else texts.number(value, 2)
    if isinstance(value, Mapping):
        return " · ".join(f"{k} {_value(texts, '', v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(texts, "", v) for v in value[:8])
    return str(value)[:200]


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
