"""Placeholders in answers: `Order {order_number|that you placed} is on its way.`

The words behind the bar are used when the message has no such value. `resolve` first chooses one of
the two; `fill` puts the value in last, so that a translator and its cache never get what the
customer wrote. See docs/content.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from bot.language.entities import extract

NAMES: Final = {
    "order_number": "order-number",
    "email": "email",
    "phone": "phone",
    "amount": "amount",
    "date": "date",
}
"""Placeholder → kind of entity (`bot/language/entities.py`)."""

_LONGEST = 60  # an answer may be as long as its channel allows already
_PLACEHOLDER = re.compile(r"\{([a-z_]+)(?:\|([^{}|]*))?\}")
_UNCLOSED = re.compile(rf"\{{(?:{'|'.join(NAMES)})\b")


def values(message: str) -> dict[str, str]:
    """Return a message's values as the customer wrote them: the first of each kind, unless long."""
    text_by_kind: dict[str, str] = {}
    for entity in extract(message):
        if len(entity.text) <= _LONGEST:
            text_by_kind.setdefault(entity.kind, entity.text)
    return {name: text_by_kind[kind] for name, kind in NAMES.items() if kind in text_by_kind}


def resolve(text: str, placeholder_values: Mapping[str, str]) -> str:
    """Keep placeholders that have a value; replace others by the words behind the bar."""

    def chosen(match: re.Match[str]) -> str:
        name, otherwise = match[1], match[2]
        if name not in NAMES:
            return match[0]
        return f"{{{name}}}" if name in placeholder_values else otherwise or ""

    return _PLACEHOLDER.sub(chosen, text)


def fill(text: str, placeholder_values: Mapping[str, str]) -> str:
    """Put the values into a resolved text; placeholders inside a value stay text."""
    return _PLACEHOLDER.sub(lambda match: placeholder_values.get(match[1], match[0]), text)


def faults(text: str) -> list[str]:
    """List faults in the placeholders of an answer, one line each.

    Other braces are text: only those that look like one of ours are checked.
    """
    problems = []
    for match in _PLACEHOLDER.finditer(text):
        name, otherwise = match[1], match[2]
        if name not in NAMES:
            if otherwise is not None or get_close_matches(name, NAMES):
                problems.append(f"{match[0]} is unknown; known are {', '.join(NAMES)}")
        elif otherwise is None:
            problems.append(f"{match[0]} needs words for messages without it: {{{name}|your …}}")
    for match in _UNCLOSED.finditer(_PLACEHOLDER.sub("", text)):
        problems.append(f"{match[0]} is not closed; write {match[0]}|your …}}")
    return problems
