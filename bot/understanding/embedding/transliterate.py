"""Writes romanised text of Indian languages in the script the models know it in.

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
    """Write Latin letters in the script of `language`; None when it is not one of these."""
    script = _SCRIPTS.get(language)
    if script is None:
        return None
    return _WORD.sub(lambda match: _written(match.group(), script), text.lower())


@cache
def _tables(southern: bool) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    return (_SOUTHERN, _VOWELS | _SHORT) if southern else (_CONSONANTS, _VOWELS)


def _written(word: str, script: _Script) -> str:
    consonants, vowels = _tables(script.southern)
    out: list[str] = []
    after_consonant = False
    at = 0
    while at < len(word):
        size = next(
            (n for n in (3, 2) if word[at : at + n] in consonants or word[at : at + n] in vowels),
            1,
        )
        part = word[at : at + size]
        at += size
        if part in vowels:
            alone, sign = vowels[part]
            if at >= len(word) and not script.southern:
                sign = _FINAL.get(part, sign)
            out.append(sign if after_consonant else alone)
            after_consonant = False
        else:
            if after_consonant and script.southern:
                out.append(_VIRAMA)
            out.append(consonants.get(part, part))
            after_consonant = part in consonants
    if script.southern and after_consonant:
        if word.endswith("m"):
            out[-1] = _ANUSVARA
        else:
            out.append(_VIRAMA)
    return "".join(out).translate(_moved(script))


@cache
def _moved(script: _Script) -> dict[int, int]:
    """Code points of Devanagari to those of the script."""
    moved = {code: code + script.offset for code in _DEVANAGARI}
    if script.plain:
        moved |= {ord(letter): moved[ord(plain)] for letter, plain in _TAMIL.items()}
    return moved
