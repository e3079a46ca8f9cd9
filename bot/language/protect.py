"""Protection of parts of a text that must not be translated, or not be sent to a translator.

Placeholders, links, numbers, names, markup, e-mail addresses, phone and order numbers become marks
such as `[[3]]`. A translation in which a mark is missing or doubled is refused. See
docs/translation.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.language.entities import extract

_FIXED = re.compile(
    r"""
      \[\[\s*\d+\s*\]\]                      # looks like one of our marks
    | \$?\{\{?[^{}\n]{0,200}\}?\}            # {name}, {{name}}, ${name}
    | %\(\w+\)[sd] | %[sd]                   # %s, %(name)s
    | (?:https?://|www\.)[^\s<>()\[\]]*[^\s<>()\[\].,;:!?'"।]
    | (?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}
    | </?[A-Za-z][^<>\n]*>                   # tags
    | `[^`\n]+`                              # code
    | \]\([^()\s]*\) | \[ | \]               # Markdown links keep their address and brackets
    | [*_~`]+                                # Markdown emphasis
    | [#@]?[A-Za-z]{0,20}\d(?:[A-Za-z\d.,:/%+-]{0,60}[A-Za-z\d])?%?  # numbers, times, codes
    """,
    re.VERBOSE,
)
_MARK = re.compile(r"[\[［【]\s*[\[［【]\s*(\d+)\s*[\]］】]\s*[\]］】]")
"""Translators put spaces into marks, widen their brackets and write their digits in other
scripts."""
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？।؟۔])\s*")


@dataclass(frozen=True)
class Protected:
    """A text with marks, and the original parts they stand for."""

    text: str
    parts: tuple[str, ...]
    """Original parts, by the number of their mark."""

    @property
    def has_words(self) -> bool:
        """Tell whether the text has words to translate."""
        return any(letter.isalpha() for letter in _MARK.sub("", self.text))

    def restore(self, translated: str) -> str | None:
        """Put the original parts back; None when a mark is missing, doubled or new."""
        numbers = sorted(int(number) for number in _MARK.findall(translated))
        if numbers != list(range(len(self.parts))):
            return None
        return _MARK.sub(lambda mark: self.parts[int(mark[1])], translated)


def protect(text: str, names: Sequence[str] = ()) -> Protected:
    """Replace by marks what must not be translated or must not leave our servers.

    Args:
        names: Proper names that stay as they are, such as the business's; case matters.
    """
    parts: list[str] = []
    marked: list[str] = []
    position = 0
    for start, end in _merge(_spans(text, names)):
        marked += [text[position:start], f"[[{len(parts)}]]"]
        parts.append(text[start:end])
        position = end
    return Protected("".join([*marked, text[position:]]), tuple(parts))


def _spans(text: str, names: Sequence[str]) -> Iterator[tuple[int, int]]:
    for entity in extract(text):
        yield entity.start, entity.end
    for match in _FIXED.finditer(text):
        yield match.span()
    for name in filter(None, names):
        for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text):
            yield match.span()


def _merge(spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Merge overlapping and touching spans, in order."""
    current: tuple[int, int] | None = None
    for start, end in sorted(spans):
        if current and start <= current[1]:
            current = (current[0], max(current[1], end))
            continue
        if current:
            yield current
        current = (start, end)
    if current:
        yield current


def split(text: str, limit_bytes: int) -> list[str]:
    """Split a text with marks into pieces for one request each; joined they are the text again.

    Lines stay apart, sentences stay whole while they fit, and no mark is cut.

    Args:
        limit_bytes: Longest piece, UTF-8; at least one mark fits.
    """
    pieces: list[str] = []
    for line in text.splitlines(keepends=True):
        current = ""
        for part in _split_line(line, limit_bytes):
            if current and len((current + part).encode()) > limit_bytes:
                pieces.append(current)
                current = ""
            current += part
        pieces.append(current)
    return [piece for piece in pieces if piece]


def _split_line(line: str, limit_bytes: int) -> Iterator[str]:
    """Yield sentences; a sentence that is too long by words, and a word too long by characters."""
    for sentence in _split_after(line, _SENTENCE_END):
        if len(sentence.encode()) <= limit_bytes:
            yield sentence
            continue
        for word in _split_after(sentence, re.compile(r"(?<=\s)(?=\S)")):
            if len(word.encode()) <= limit_bytes:
                yield word
                continue
            position = 0
            for mark in _MARK.finditer(word):
                yield from word[position : mark.start()]
                yield mark[0]
                position = mark.end()
            yield from word[position:]


def _split_after(text: str, boundary: re.Pattern[str]) -> Iterator[str]:
    position = 0
    for match in boundary.finditer(text):
        if match.end() > position:
            yield text[position : match.end()]
            position = match.end()
    if position < len(text):
        yield text[position:]
