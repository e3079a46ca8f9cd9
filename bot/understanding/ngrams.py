"""Spelling features of a message, for words the embedding does not know: romanised chat, slang.

Indic scripts are laid out alike in Unicode (the ISCII order), so one table reads all of them in
Latin letters; a phonetic fold then brings the spellings of romanised chat together
("ghatiya", "ghatia", "घटिया"). Neither step asks for the language. See docs/sentiment.md.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise

BUCKETS = 1 << 15
_LONGEST = 4
_LETTERS_SEEN = 600
_REMEMBERED_WORDS = 8192
_REMEMBERED_TEXTS = 64  # intent and mood read the same message

# Offsets inside an Indic block (U+0900–U+0D7F, 128 code points each) and what they sound like.
_CONSONANT_SOUNDS = (
    "k kh g gh n c ch j jh n t th d dh n t th d dh n n p f b bh m y r r l l l v s s s h"
)
_VOWEL_SOUNDS = "a aa i i u u ri l e e e e o o o o"
_SIGN_SOUNDS = "aa i i u u ri ri e e e e o o o o"
_CONSONANTS = dict(zip(range(0x15, 0x3A), _CONSONANT_SOUNDS.split(), strict=True))
_VOWELS = dict(zip(range(0x05, 0x15), _VOWEL_SOUNDS.split(), strict=True))
_VOWEL_SIGNS = dict(zip(range(0x3E, 0x4D), _SIGN_SOUNDS.split(), strict=True))
_NASALS = (0x01, 0x02)
_CHILLU = {0xD7A: "n", 0xD7B: "n", 0xD7C: "r", 0xD7D: "l", 0xD7E: "l", 0xD7F: "k"}

_FOLD = (
    *(("ph", "f"), ("w", "v"), ("z", "j"), ("ck", "k"), ("q", "k"), ("x", "ks")),
    *(("ee", "i"), ("oo", "u"), ("aa", "a"), ("ii", "i"), ("uu", "u")),
    *(("ai", "e"), ("ay", "e"), ("ei", "e"), ("au", "o"), ("ou", "o"), ("y", "i"), ("c", "k")),
)
_LINK = re.compile(r"https?://\S+")
_HANDLE = re.compile(r"@\w+")
_TWICE = re.compile(r"(.)\1+")
_ASPIRATED = re.compile(r"(?<=[bcdgjkpt])h")
_INNER_A = re.compile(r"(?<!^)a")
# Words (letters with their marks), numbers, and each other sign by itself.
_PIECES = re.compile(r"(?:[^\W\d_][\u0300-\u036f\u0e31-\u0e4e\u064b-\u0652]*)+|0+|[^\w\s]")


@lru_cache(maxsize=_REMEMBERED_TEXTS)
def ngram_weights(text: str) -> Mapping[int, float]:
    """Weigh the letter groups and words of a message.

    Returns:
        1 + ln(count) by bucket, 0 ≤ bucket < BUCKETS: pieces of one to four letters inside
        words, whole words without their inner "a", and pairs of neighbours.
    """
    text = unicodedata.normalize("NFKC", text[:_LETTERS_SEEN]).lower()
    text = re.sub(r"\d", "0", _HANDLE.sub("@", _LINK.sub("http", text)))
    words = [_folded(piece) for piece in _PIECES.findall(romanise(text))]
    buckets: Counter[int] = Counter(_bucket(f"{left} {right}") for left, right in pairwise(words))
    for word in words:
        for bucket in _pieces_of(word):
            buckets[bucket] += 1
    return {bucket: 1.0 + math.log(count) for bucket, count in buckets.items()}


@lru_cache(maxsize=_REMEMBERED_WORDS)
def _pieces_of(word: str) -> tuple[int, ...]:
    """Return the buckets of a word's letter groups, with repetitions; cached, as words repeat."""
    padded = f" {word} "
    pieces = [
        padded[start : start + length]
        for length in range(1, min(_LONGEST, len(padded)) + 1)
        for start in range(len(padded) - length + 1)
    ]
    return (_bucket("§" + _TWICE.sub(r"\1", _INNER_A.sub("", word))), *map(_bucket, pieces))


def _bucket(piece: str) -> int:
    return zlib.crc32(piece.encode("utf-8", "ignore")) % BUCKETS


def romanise(text: str) -> str:
    """Spell Indic letters in Latin letters; leave everything else as it is."""
    result = []
    for position, letter in enumerate(text):
        code = ord(letter)
        offset = code & 0x7F
        if not 0x900 <= code <= 0xD7F:
            result.append(letter)
        elif code in _CHILLU:
            result.append(_CHILLU[code])
        elif offset in _CONSONANTS:
            result.append(_CONSONANTS[offset])
            if _keeps_vowel(text[position + 1 : position + 2]):
                result.append("a")
        elif offset in _NASALS:
            result.append("n")
        else:
            result.append(_VOWELS.get(offset) or _VOWEL_SIGNS.get(offset) or "")
    return "".join(result)


def _keeps_vowel(following: str) -> bool:
    """Tell whether a consonant's own "a" is spoken: inside a word, before another full letter."""
    if not following or not 0x900 <= ord(following) <= 0xD7F or ord(following) in _CHILLU:
        return False
    offset = ord(following) & 0x7F
    return offset in _CONSONANTS or offset in _VOWELS or offset in _NASALS


def _folded(word: str) -> str:
    word = re.sub(r"(.)\1\1+", r"\1\1", word)
    for spelling, sound in _FOLD:
        word = word.replace(spelling, sound)
    return _ASPIRATED.sub("", _TWICE.sub(r"\1", word))
