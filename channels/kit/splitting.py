"""Splitting of long text at paragraphs, sentences or words, never within a character.

A character is what its reader sees: an extended grapheme cluster (Unicode UAX #29), with Indic
conjuncts kept whole as its version 15.1 asks (rule GB9c).
"""

from __future__ import annotations

import regex

CLUSTER = regex.compile(r"(?:\X(?<=\p{InSC=Virama}\p{M}*\u200d?))*\X")
_SEEN = regex.compile(r"\X")
# Best places first. A full stop ends a sentence only before a space and not after a digit, so
# neither "3.14" nor "1. First" is torn; dandas and the like need no space.
_PLACES = tuple(
    regex.compile(pattern, regex.VERSION1)
    for pattern in (
        r"\n\s*\n\s*",
        r"""(?:(?<!\d)[.!?…]{1,8}[\p{Pe}\p{Pf}"']{0,8}\s+|[\p{STerm}--[.!?]]+[\p{Pe}\p{Pf}"']*\s*|\n\s*)""",
        r"\s+",
    )
)
LEAST_SHARE = 0.5
"""A better place is taken only if it leaves at least this share of the room filled."""


def units(text: str) -> int:
    """Length in UTF-16 units: the strictest reading of "characters" in vendors' limits."""
    return len(text) + sum(character > "\uffff" for character in text)


def split(text: str, most: int) -> list[str]:
    """Cut a text into pieces of at most `most` UTF-16 units, trimmed, none of them empty.

    Only a single character that alone is longer than `most` is torn.
    """
    rest = text.strip()
    pieces: list[str] = []
    while units(rest) > most:
        at = _cut(rest, most)
        pieces.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [piece for piece in (*pieces, rest) if piece]


def shorten(text: str, most: int) -> str:
    """Cut a text to at most `most` UTF-16 units, with an ellipsis where something went."""
    if units(text) <= most:
        return text
    return text[: _boundaries(text, most - 1)[-1]].rstrip() + "…"


def _cut(text: str, most: int) -> int:
    ends = _boundaries(text, most)
    end_set, least = set(ends), ends[-1] * LEAST_SHARE
    # One more than fits: a space right behind the room is as good a place as one within it.
    window = text[: ends[-1] + 1]
    for place in _PLACES:
        ends_in_window = [match.end() for match in place.finditer(window)]
        good = [
            end
            for end in ends_in_window
            if least <= min(end, ends[-1]) and _whole(text, end, end_set)
        ]
        if good:
            return good[-1]
    return ends[-1]


def _whole(text: str, end: int, end_set: set[int]) -> bool:
    """The place lies between two characters, or its tail is a space right behind the room."""
    return end in end_set or (end - 1 in end_set and text[end - 1].isspace())


def _boundaries(text: str, most: int) -> list[int]:
    """Ends of the characters that fit; at least one, inside a character if need be."""
    for pattern in (CLUSTER, _SEEN):
        ends, size = [], 0
        for match in pattern.finditer(text):
            size += units(match.group())
            if size > most:
                break
            ends.append(match.end())
        if ends:
            return ends
    size = 0
    for at, character in enumerate(text):
        size += units(character)
        if size > most:
            return [max(at, 1)]
    return [len(text)]
