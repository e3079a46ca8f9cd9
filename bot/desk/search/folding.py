"""Folding of text for search: removes differences that people do not type.

Case, Latin, Greek and Cyrillic accents, Arabic vowel signs and letter forms, the Devanagari dot and
invisible characters are folded away. Vowel signs of Indic scripts and Thai tone marks stay:
without them these are other words.
"""

from __future__ import annotations

import unicodedata

DROPPED = {
    *range(0x0300, 0x0370),  # accents of Latin, Greek, Cyrillic
    *range(0x064B, 0x0653),  # Arabic vowel signs
    0x0640,  # Arabic lengthening stroke
    0x0670,  # Arabic superscript alef
    0x093C,  # Devanagari dot (nukta)
    0x00AD,
    0x200B,
    0x200C,
    0x200D,
    0x200E,
    0x200F,
    0xFEFF,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
}
SAME = {
    "أ": "ا",
    "إ": "ا",
    "آ": "ا",
    "ٱ": "ا",
    "ى": "ي",
    "ة": "ه",
    "ؤ": "و",
    "ئ": "ي",
    "ی": "ي",
    "ک": "ك",
    "ß": "ss",
    "ø": "o",
    "đ": "d",
    "ł": "l",
    "ı": "i",
}
_TABLE: dict[int, str | None] = {
    **dict.fromkeys(DROPPED),
    **{ord(letter): plain for letter, plain in SAME.items()},
}


def fold(text: str) -> str:
    """Fold a text or a query; both sides of a comparison must go through it."""
    lowered = unicodedata.normalize("NFKC", text).casefold().translate(_TABLE)
    split = unicodedata.normalize("NFD", lowered).translate(_TABLE)
    return unicodedata.normalize("NFC", split)
