"""Cleaning of names people give: any script, no invisible or direction-changing characters."""

from __future__ import annotations

import unicodedata

from bot.errors import BadRequest

_JOINERS = "\u200c\u200d"
"""Invisible, but part of words in Indic and Persian spelling."""


def clean(name: str, most: int, code: str) -> str:
    """Spell a name on one line, without control and direction-changing characters.

    Raises:
        BadRequest: Nothing is left, or it is longer than `most` characters; `code` says of what.
    """
    spelled = plain(name)
    if not spelled.strip(_JOINERS) or len(spelled) > most:
        raise BadRequest(code, f"A name has 1 to {most} characters.")
    return spelled


def plain(name: str) -> str:
    """The name on one line, without control and direction-changing characters; maybe empty."""
    kept = "".join(
        c
        for c in unicodedata.normalize("NFC", name)
        if c in _JOINERS or c.isspace() or unicodedata.category(c)[0] != "C"
    )
    return " ".join(kept.split())
