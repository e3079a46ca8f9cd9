"""The one normaliser: joins the spellings of a word, for reading (`tidy`) and comparing (`fold`).

`tidy` keeps a text readable: the models embed it and language detection looks at it. `fold` also
drops what people leave out when they type: case, accents, letter forms. What is compared goes
through it on both sides: commands, buttons, search, duplicates. Entities are looked for in
`Folded.of`, which knows where each character came from. The tables, with their sources, are in
`spellings.py`; docs/language.md has the list of places.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bot.language import spellings
from bot.language.spellings import ZWJ, ZWNJ

VERSION: Final = 1
"""Part of the name of what is kept in this spelling; raise it when `tidy` or `fold` change."""

_CACHED_TEXTS: Final = 512
_DIGITS: Final = {chr(zero + n): str(n) for zero in spellings.ZEROS for n in range(10)}


class _Letters(dict[int, str]):
    """Table for `str.translate` that finds out about a character when it first occurs."""

    def __init__(self, replacement: Callable[[str], str]) -> None:
        self._replacement = replacement

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        replaced = self._replacement(letter)
        if replaced == letter and code > 0x3000:
            raise LookupError  # kept as it is; a stranger cannot fill the table with the rest
        self[code] = replaced
        return replaced


def _plain_letter(letter: str) -> str:
    """Replace a styled letter, a digit of any script or a presentation form."""
    if letter in spellings.UNSEEN:
        return ""
    known = _DIGITS.get(letter) or spellings.STYLED.get(letter)
    if known is not None:
        return known
    if letter in spellings.AS_THEY_ARE:
        return letter
    return unicodedata.normalize("NFKC", letter)


_Span = tuple[str, list[int]]


@dataclass(frozen=True)
class _Table:
    """A step that replaces single characters."""

    table: Mapping[int, str]

    def apply(self, text: str) -> str:
        return text.translate(self.table)

    def track(self, text: str, starts: list[int]) -> _Span:
        if self.apply(text) == text:
            return text, starts
        parts = [letter.translate(self.table) for letter in text]
        kept = [start for part, start in zip(parts, starts, strict=False) for _ in part]
        return "".join(parts), [*kept, starts[-1]]


@dataclass(frozen=True)
class _Rule:
    """A step that replaces what a pattern matches, in texts with a letter of its scripts."""

    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]

    def apply(self, text: str) -> str:
        return self.pattern.sub(self.replacement, text)

    def track(self, text: str, starts: list[int]) -> _Span:
        if not self.pattern.search(text):
            return text, starts
        parts: list[str] = []
        kept: list[int] = []
        position = 0
        for match in self.pattern.finditer(text):
            replaced = (
                match.expand(self.replacement)
                if isinstance(self.replacement, str)
                else self.replacement(match)
            )
            start, end = match.span()
            parts += [text[position:start], replaced]
            kept += starts[position:start]
            kept += [starts[min(start + n, end - 1)] for n in range(len(replaced))]
            position = end
        return "".join([*parts, text[position:]]), [*kept, *starts[position:]]


@dataclass(frozen=True)
class _Form:
    """A step that brings a text into a normal form of Unicode."""

    form: str

    def apply(self, text: str) -> str:
        return unicodedata.normalize(self.form, text)  # type: ignore[arg-type]

    def track(self, text: str, starts: list[int]) -> _Span:
        if unicodedata.is_normalized(self.form, text):  # type: ignore[arg-type]
            return text, starts
        parts: list[str] = []
        kept: list[int] = []
        position = 0
        while position < len(text):
            end = position + 1
            while end < len(text) and _joins(text[end]):
                end += 1
            part = self.apply(text[position:end])
            parts.append(part)
            kept += [starts[min(position + n, end - 1)] for n in range(len(part))]
            position = end
        return "".join(parts), [*kept, starts[-1]]


def _joins(letter: str) -> bool:
    """Tell whether a normal form may join a character to the one before it."""
    return (
        unicodedata.category(letter)[0] == "M"
        or "\u1160" <= letter <= "\u11ff"
        or letter in "\uff9e\uff9f"
    )


_Step = _Table | _Rule | _Form


def _rules(pairs: Iterable[tuple[str, str]]) -> list[_Step]:
    return [_Rule(re.compile(pattern), replacement) for pattern, replacement in pairs]


def _alternatives(table: Mapping[str, str]) -> _Rule:
    longest_first = sorted(table, key=len, reverse=True)
    return _Rule(re.compile("|".join(map(re.escape, longest_first))), lambda m: table[m[0]])


def _dropped(letters: str) -> dict[int, str]:
    return dict.fromkeys(map(ord, letters), "")


def _mapped(table: Mapping[str, str]) -> dict[int, str]:
    return {ord(letter): plain for letter, plain in table.items()}


_PLAIN: Final = _Table(_Letters(_plain_letter))
_INDIC_OR_THAI: Final = re.compile("[\u0900-\u0eff]")
_SPELLED: Final[tuple[_Step, ...]] = (
    _alternatives(spellings.LETTERS),
    *_rules(spellings.ORDER),
    *_rules(spellings.LOAN_DOTS),
    *_rules(spellings.NASALS),
)
_POINTS: Final = _Table(_dropped(spellings.VOWEL_POINTS))
# A joiner between Arabic letters is part of Persian spelling; elsewhere it is seen in no word.
_IDLE_JOINERS: Final = _Rule(re.compile(f"(?<![\u0600-\u06ff]){ZWNJ}|{ZWJ}"), "")
_JOINERS: Final = _Table(_dropped(ZWNJ + ZWJ))
_COMPARED: Final = _Table(_mapped(spellings.COMPARED))
_ACCENTS: Final = _Table(_dropped(spellings.ACCENTS))
_KEYBOARDS: Final = {language: _mapped(table) for language, table in spellings.KEYBOARDS.items()}
_ARABIC: Final = re.compile("[\u0600-\u06ff]")


def _run(text: str) -> str:
    """Bring a text that is not ASCII into the spelling that both `tidy` and `fold` share."""
    text = unicodedata.normalize("NFC", _PLAIN.apply(text))
    if _INDIC_OR_THAI.search(text):
        for step in _SPELLED:
            text = step.apply(text)
    return _POINTS.apply(text)


@lru_cache(maxsize=_CACHED_TEXTS)
def tidy(text: str) -> str:
    """Return the usual spelling of a text, for models to read.

    Styled and full-width letters, presentation forms, digits of every script, unseen characters,
    vowel points and the encodings of Indic and Thai words are joined; case, accents and
    Arabic letter forms stay.
    """
    if text.isascii():
        return text
    return _IDLE_JOINERS.apply(_run(text))


def in_letters_of(text: str, language: str) -> str:
    """Replace letters of a neighbour's keyboard in an Arabic, Persian or Urdu text.

    Args:
        text: A message in one of these languages; any other stays as it is.
        language: Our code of its language, detected from the text as it was typed.
    """
    table = _KEYBOARDS.get(language)
    return text.translate(table) if table and _ARABIC.search(text) else text


@lru_cache(maxsize=_CACHED_TEXTS)
def fold(text: str) -> str:
    """Fold a text for comparing; both sides of a comparison must go through it."""
    if text.isascii():
        return text.lower()
    folded = _COMPARED.apply(_JOINERS.apply(_run(text)).lower())
    folded = unicodedata.normalize("NFC", _ACCENTS.apply(unicodedata.normalize("NFD", folded)))
    return _COMPARED.apply(folded)


@dataclass(frozen=True)
class Folded:
    """A text folded for finding things in it, its case kept.

    Attributes:
        text: The text, folded as `fold` does, in the case in which it was written.
        starts: Place in the original of each of its characters, and of its end.
    """

    text: str
    starts: tuple[int, ...] | range

    @classmethod
    def of(cls, text: str) -> Folded:
        """Fold a text; ASCII costs nothing."""
        if text.isascii():
            return cls(text, range(len(text) + 1))
        folded, starts = text, list(range(len(text) + 1))
        steps: tuple[_Step, ...] = (_PLAIN, _Form("NFC"))
        if _INDIC_OR_THAI.search(text):
            steps += _SPELLED
        steps += (_POINTS, _JOINERS, _COMPARED, _Form("NFD"), _ACCENTS, _Form("NFC"), _COMPARED)
        for step in steps:
            folded, starts = step.track(folded, starts)
        return cls(folded, tuple(starts))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the folded text stands in the original."""
        return self.starts[start], self.starts[end]
