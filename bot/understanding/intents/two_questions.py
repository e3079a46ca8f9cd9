"""Two questions in one message: cut it where it may be cut, and let the index judge the parts.

Cutting is generous (sentence ends, words for "and" in many languages); a cut counts only when
both sides are, each for itself, surely about different entries. "Black and white" stays whole.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import regex

MOST_PARTS = 4
"""Longer enumerations are stories, not lists of questions."""
LEAST_LETTERS = 6
"""Shorter pieces ("and when?") ask nothing by themselves."""
MOST_CHARS = 400


def parts_of(text: str) -> list[str]:
    """Cut a message into what may be separate questions; fewer than two means there is one."""
    if len(text) > MOST_CHARS:
        return []
    pieces = [piece.strip(" \n\t,") for piece in _cuts().split(text)]
    parts = [piece for piece in pieces if _letters(piece) >= LEAST_LETTERS]
    return parts if 2 <= len(parts) <= MOST_PARTS else []


def _letters(piece: str) -> int:
    """Letters without digits: an order number asks nothing."""
    return sum(character.isalnum() and not character.isdigit() for character in piece)


@cache
def _cuts() -> regex.Pattern[str]:
    words = json.loads(Path(__file__).with_name("conjunctions.json").read_text("utf-8"))
    # Scripts without spaces write the word right against its neighbours.
    unspaced = {word for word in words["th"]}
    spaced = {word for listed in words.values() for word in listed} - unspaced
    either = "|".join(sorted(map(regex.escape, spaced), key=len, reverse=True))
    tight = "|".join(sorted(map(regex.escape, unspaced), key=len, reverse=True))
    ends = r"[?!؟।。？！;\n]+|\.(?=\s)"
    return regex.compile(rf"(?:{ends})|(?<=\s)(?:{either})(?=\s)|(?:{tight})", regex.IGNORECASE)
