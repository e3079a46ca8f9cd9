"""Splitter of messages that may hold two questions; the index then judges the parts.

It cuts often (at sentence ends, at words for "and" in many languages); a cut counts only when both
sides are surely about different entries. "Black and white" stays whole. Where a second entry is
near, commas and every gap between words may be cuts as well: much of what is typed on a phone has
no mark.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import regex

MOST_PARTS = 4
"""Messages with more parts are stories, not lists of questions."""
LEAST_WORDS, MOST_WORDS = 2, 15
"""Messages without a mark that are cut at gaps between words; Thai has few gaps."""
LEAST_LETTERS_AT_COMMAS = 4
LEAST_LETTERS = 6
"""Shorter pieces ("and when?") ask nothing by themselves."""
MOST_CHARS = 400


def split_questions(text: str, *, at_commas: bool = False) -> list[str]:
    """Split a message into what may be separate questions; fewer than two parts gives [].

    Args:
        at_commas: Cut at commas as well, which separate much else.
    """
    if len(text) > MOST_CHARS:
        return []
    segments = [segment.strip(" \n\t,") for segment in _cuts(at_commas).split(text)]
    least = LEAST_LETTERS_AT_COMMAS if at_commas else LEAST_LETTERS
    parts = [segment for segment in segments if _count_letters(segment) >= least]
    return parts if 2 <= len(parts) <= MOST_PARTS else []


def cuttable(text: str) -> list[str]:
    """List the words of a message that may be cut at any gap; none for very short and long ones."""
    if len(text) > MOST_CHARS:
        return []
    words = text.split()
    return words if LEAST_WORDS <= len(words) <= MOST_WORDS else []


def _count_letters(segment: str) -> int:
    """Count letters; digits do not count, since an order number asks nothing."""
    return sum(character.isalnum() and not character.isdigit() for character in segment)


@cache
def _cuts(at_commas: bool) -> regex.Pattern[str]:
    words = json.loads(Path(__file__).with_name("conjunctions.json").read_text("utf-8"))
    # Scripts without spaces write the word right against its neighbours.
    unspaced = {word for word in words["th"]}
    spaced = {word for listed in words.values() for word in listed} - unspaced
    either = "|".join(sorted(map(regex.escape, spaced), key=len, reverse=True))
    tight = "|".join(sorted(map(regex.escape, unspaced), key=len, reverse=True))
    commas = ",،、\uff0c" if at_commas else ""
    ends = rf"[?!؟।。？！;{commas}\n]+|\.(?=\s)"
    return regex.compile(rf"(?:{ends})|(?<=\s)(?:{either})(?=\s)|(?:{tight})", regex.IGNORECASE)
