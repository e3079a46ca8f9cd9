"""Keep parts of a text away from a translator: what must survive, and what must not leave.

Placeholders, links, numbers, names, markup, e-mail addresses, phone and order numbers become marks
such as `[[3]]`. A translation that lost or doubled a mark is refused. See docs/translation.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.language.entities import extract

_FIXED = re.compile(
    r"""
      \[\[\s*\d+\s*\]\]                      # looks like one of our marks
    | \$?\{\{?[^{}\n]*\}?\}                  # {name}, {{name}}, ${name}
    | %\(\w+\)[sd] | %[sd]                   # %s, %(name)s
    | (?:https?://|www\.)[^\s<>()\[\]]*[^\s<>()\[\].,;:!?'"।]
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+
    | </?[A-Za-z][^<>\n]*>                   # tags
    | `[^`\n]+`                              # code
    | \]\([^()\s]*\) | \[ | \]               # Markdown links keep their address and brackets
    | [*_~`]+                                # Markdown emphasis
    | [#@]?[A-Za-z]*\d(?:[A-Za-z\d.,:/%+-]*[A-Za-z\d])?%?  # numbers, times, dates, codes
    """,
    re.VERBOSE,
)
_MARK = re.compile(r"[\[［【]\s*[\[［【]\s*(\d+)\s*[\]］】]\s*[\]］】]")
"""Translators put spaces into marks, widen their brackets and write their digits in other
scripts."""
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？।؟۔])\s*")


@dataclass(frozen=True)
class Protected:
    """A text with marks, and what stands behind them."""

    text: str
    kept: tuple[str, ...]
    """Original parts, by the number of their mark."""

    @property
    def has_words(self) -> bool:
        """Whether anything is left to translate."""
        return any(letter.isalpha() for letter in _MARK.sub("", self.text))

    def restore(self, translated: str) -> str | None:
        """Put the parts back; None when a mark was lost, doubled or made up."""
        seen = sorted(int(number) for number in _MARK.findall(translated))
        if seen != list(range(len(self.kept))):
            return None
        return _MARK.sub(lambda mark: self.kept[int(mark[1])], translated)


def protect(text: str, names: Sequence[str] = ()) -> Protected:
    """Put marks in place of what must not be translated or must not leave the house.

    Args:
        names: Proper names that stay as they are, such as the business's; case matters.
    """
    kept: list[str] = []
    made: list[str] = []
    at = 0
    for start, end in _joined(_spans(text, names)):
        made += [text[at:start], f"[[{len(kept)}]]"]
        kept.append(text[start:end])
        at = end
    return Protected("".join([*made, text[at:]]), tuple(kept))


def _spans(text: str, names: Sequence[str]) -> Iterator[tuple[int, int]]:
    for entity in extract(text):
        yield entity.start, entity.end
    for found in _FIXED.finditer(text):
        yield found.span()
    for name in filter(None, names):
        for found in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text):
            yield found.span()


def _joined(spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Overlapping and touching spans as one, in order."""
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
    """Cut a text with marks into pieces for one request each; joined they are the text again.

    Lines stay apart, sentences stay whole while they fit, and no mark is cut.

    Args:
        limit_bytes: Longest piece, UTF-8; at least one mark fits.
    """
    pieces: list[str] = []
    for line in text.splitlines(keepends=True):
        current = ""
        for part in _parts(line, limit_bytes):
            if current and len((current + part).encode()) > limit_bytes:
                pieces.append(current)
                current = ""
            current += part
        pieces.append(current)
    return [piece for piece in pieces if piece]


def _parts(line: str, limit_bytes: int) -> Iterator[str]:
    """Sentences; those too long by words, and words too long by characters."""
    for sentence in _cut(line, _SENTENCE_END):
        if len(sentence.encode()) <= limit_bytes:
            yield sentence
            continue
        for word in _cut(sentence, re.compile(r"(?<=\s)(?=\S)")):
            if len(word.encode()) <= limit_bytes:
                yield word
                continue
            at = 0
            for mark in _MARK.finditer(word):
                yield from word[at : mark.start()]
                yield mark[0]
                at = mark.end()
            yield from word[at:]


def _cut(text: str, border: re.Pattern[str]) -> Iterator[str]:
    at = 0
    for found in border.finditer(text):
        if found.end() > at:
            yield text[at : found.end()]
            at = found.end()
    if at < len(text):
        yield text[at:]
