"""Transliteration of romanised Indian languages into the script the models were trained on.

People type these languages in Latin letters without a standard, so this is no orthography: it is
good enough for an embedding, which then sees mostly right words instead of none. Letters are
written in Devanagari and moved to the script of the language, since Unicode lays these scripts out
in parallel blocks (The Unicode Standard, chapter 12.1). Measured in docs/understanding.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

_CONSONANTS = {
    "ksh": "क्ष",
    "chh": "छ",
    "kh": "ख",
    "gh": "घ",
    "ch": "च",
    "jh": "झ",
    "th": "थ",
    "dh": "ध",
    "ph": "फ",
    "bh": "भ",
    "sh": "श",
    "gy": "ज्ञ",
    "k": "क",
    "q": "क",
    "g": "ग",
    "c": "क",
    "j": "ज",
    "z": "ज",
    "t": "त",
    "d": "द",
    "n": "न",
    "p": "प",
    "f": "फ",
    "b": "ब",
    "m": "म",
    "y": "य",
    "r": "र",
    "l": "ल",
    "v": "व",
    "w": "व",
    "s": "स",
    "h": "ह",
    "x": "क्स",
}
# Southern languages write th for a plain dental and join consonants that stand together.
_SOUTHERN = _CONSONANTS | {
    "th": "त",
    "t": "ट",
    "d": "ड",
    "dh": "ध",
    "zh": "ऴ",
    "nj": "ञ्ञ",
    "ng": "ङ्ङ",
    "nt": "न्ट",
    "ch": "च",
    "tt": "ट्ट",
    "tth": "त्त",
    "nd": "ण्ड",
    "nn": "न्न",
    "f": "फ",
    "l": "ल",
}
# Free-standing vowel and the sign after a consonant; none for the inherent vowel.
_VOWELS = {
    "aa": ("आ", "ा"),
    "ai": ("ऐ", "ै"),
    "au": ("औ", "ौ"),
    "ee": ("ई", "ी"),
    "oo": ("ऊ", "ू"),
    "ii": ("ई", "ी"),
    "uu": ("ऊ", "ू"),
    "a": ("अ", ""),
    "i": ("इ", "ि"),
    "u": ("उ", "ु"),
    "e": ("ए", "े"),
    "o": ("ओ", "ो"),
}
_SHORT = {"e": ("ऎ", "ॆ"), "o": ("ऒ", "ॊ")}
_FINAL = {"a": "ा", "i": "ी", "u": "ू"}  # northern words end in the long vowel
_VIRAMA, _ANUSVARA = "्", "ं"
# Tamil writes voiced and breathy consonants with the plain letter.
_TAMIL = dict(zip("खगघछझठडढथदधफबभ", "कककचजटटटतततपपप", strict=True))
_DEVANAGARI = range(0x0900, 0x0980)
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class _Script:
    offset: int  # of its block from Devanagari's
    southern: bool = False
    plain: bool = False  # has no letters of its own for voiced and breathy consonants


_SCRIPTS = {
    "hi": _Script(0),
    "mr": _Script(0),
    "ne": _Script(0),
    "bn": _Script(0x80),
    "pa": _Script(0x100),
    "gu": _Script(0x180),
    "ta": _Script(0x280, True, True),
    "te": _Script(0x300, True),
    "kn": _Script(0x380, True),
    "ml": _Script(0x400, True),
}


def to_native(text: str, language: str) -> str | None:
    """Write Latin letters in the script of `language`; None for other languages."""
    script = _SCRIPTS.get(language)
    if script is None:
        return None
    return _WORD.sub(lambda match: _transliterate_word(match.group(), script), text.lower())


@cache
def _tables(southern: bool) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    return (_SOUTHERN, _VOWELS | _SHORT) if southern else (_CONSONANTS, _VOWELS)


def _transliterate_word(word: str, script: _Script) -> str:
    consonants, vowels = _tables(script.southern)
    letters: list[str] = []
    after_consonant = False
    position = 0
    while position < len(word):
        size = next(
            (
                n
                for n in (3, 2)
                if word[position : position + n] in consonants
                or word[position : position + n] in vowels
            ),
            1,
        )
        part = word[position : position + size]
        position += size
        if part in vowels:
            letter, sign = vowels[part]
            if position >= len(word) and not script.southern:
                sign = _FINAL.get(part, sign)
            letters.append(sign if after_consonant else letter)
            after_consonant = False
        else:
            if after_consonant and script.southern:
                letters.append(_VIRAMA)
            letters.append(consonants.get(part, part))
            after_consonant = part in consonants
    if script.southern and after_consonant:
        if word.endswith("m"):
            letters[-1] = _ANUSVARA
        else:
            letters.append(_VIRAMA)
    return "".join(letters).translate(_devanagari_to_script(script))


@cache
def _devanagari_to_script(script: _Script) -> dict[int, int]:
    """Map code points of Devanagari to those of the script."""
    table = {code: code + script.offset for code in _DEVANAGARI}
    if script.plain:
        table |= {ord(letter): table[ord(plain)] for letter, plain in _TAMIL.items()}
    return table
