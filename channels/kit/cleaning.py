"""Cleaning of strangers' texts: removes characters no keyboard types and no store takes."""

from __future__ import annotations

import unicodedata


def clean(text: str) -> str:
    """Take out what no keyboard types and no store takes; joiners of Indic scripts stay.

    Line ends become a line feed, tabs a space, lone surrogates U+FFFD; other control characters go.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    kept: list[str] = []
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            kept.append("\ufffd")
        elif category != "Cc" or character == "\n":
            kept.append(character)
    return "".join(kept).strip()


def is_visible(text: str) -> bool:
    """Tell whether anything would be seen: more than spaces, joiners and direction marks."""
    return any(unicodedata.category(c)[0] not in "ZC" for c in text)
