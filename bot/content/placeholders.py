"""What a customer named, put into an answer: `Order {order_number|that you placed} is on its way.`

Behind the bar stands what is said when the message names nothing of the kind. Answers are first
reduced to one of the two (`resolve`) and filled last (`fill`), so that a translator and its cache
never see what the customer wrote. See docs/content.md.
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
_BEGUN = re.compile(rf"\{{(?:{'|'.join(NAMES)})\b")


def values(message: str) -> dict[str, str]:
    """What a message names, as the customer wrote it: the first of each kind, if not too long."""
    found: dict[str, str] = {}
    for entity in extract(message):
        if len(entity.text) <= _LONGEST:
            found.setdefault(entity.kind, entity.text)
    return {name: found[kind] for name, kind in NAMES.items() if kind in found}


def resolve(text: str, given: Mapping[str, str]) -> str:
    """Keep the name of a placeholder that has a value, and the words behind the bar of others."""

    def chosen(match: re.Match[str]) -> str:
        name, otherwise = match[1], match[2]
        if name not in NAMES:
            return match[0]
        return f"{{{name}}}" if name in given else otherwise or ""

    return _PLACEHOLDER.sub(chosen, text)


def fill(text: str, given: Mapping[str, str]) -> str:
    """Put the values into a resolved text; what they contain is not looked at again."""
    return _PLACEHOLDER.sub(lambda match: given.get(match[1], match[0]), text)


def faults(text: str) -> list[str]:
    """Say what is wrong with the placeholders of an answer, one line each.

    Braces around anything else are text: only what looks like one of ours is looked at.
    """
    found = []
    for match in _PLACEHOLDER.finditer(text):
        name, otherwise = match[1], match[2]
        if name not in NAMES:
            if otherwise is not None or get_close_matches(name, NAMES):
                found.append(f"{match[0]} is unknown; known are {', '.join(NAMES)}")
        elif otherwise is None:
            found.append(f"{match[0]} needs words for messages without it: {{{name}|your …}}")
    for match in _BEGUN.finditer(_PLACEHOLDER.sub("", text)):
        found.append(f"{match[0]} is not closed; write {match[0]}|your …}}")
    return found
