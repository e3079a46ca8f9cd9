"""Entities of a message: order numbers, e-mail, phone numbers, amounts and dates.

They are looked for in the folded text (`normalise.Folded`), in which digits of any script are 0-9
and spellings are one; offsets are those of the customer's text. Patterns are about shapes, not
about languages; words that name a kind ("order", "ऑर्डर", `entity_words.py`) only decide what a
bare number is.

Many languages write an ending or the next word on to a number ("123456ची", "ORD-1234ถึงไหน"), so
only a Latin letter or a digit beside it makes it a part of something longer ("10000mah").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from bot.language.entity_words import CURRENCY_OF, MONTHS, NUMBER, ORDER, OTHER, PHONE
from bot.language.normalise import Folded, fold


@dataclass(frozen=True)
class Entity:
    """One value in a message, such as an order number."""

    kind: str  # "order-number", "number", "email", "phone", "amount" or "date"
    value: str  # normalised: "A123456", "x@y.z", "+4915112345678", "USD 12.50", "2026-03-09"
    text: str  # as the customer wrote it
    start: int  # offset of the first character in the message
    end: int  # offset after the last character


LOOKED_AT = 1000
"""Characters of a message in which values are looked for; nobody gives an order number later."""
_LONGEST = 64
"""Characters of the longest value; one may not be cut in two where looking ends."""
_CACHED_TEXTS = 256
"""A message is looked at for its question, its values and what may be said back."""


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_LATIN = "0-9A-Za-z_\u00c0-\u024f"
_APART = f"(?<![{_LATIN}])"
_ENDS = f"(?![{_LATIN}])"
_MARKS = (
    "\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0980-\u0983\u09bc-\u09cd\u0a01-\u0dff\u0e31-\u0e4e"
)
_WORD_ENDS = f"(?![^\\W\\d_]|[{_MARKS}])"
_LEAST_STEM = 3
"""Letters from which a word of another script than Latin is known whatever ending it has."""


def _with_endings(words: Iterable[str]) -> str:
    """Match a word, and the endings that languages of other scripts than Latin write on to it."""
    known = list(words)
    stems = [word for word in known if not word.isascii() and len(word) >= _LEAST_STEM]
    others = [word for word in known if word not in stems]
    unspaced = [word for word in others if len(word) == 1 and word >= "\u3000"]
    whole = [word for word in others if word not in unspaced]
    return f"(?:{_any([*stems, *unspaced])}|(?:{_any(whole)}){_WORD_ENDS})"


# Every repeat is bounded: a pattern may start anywhere in a text that a stranger chose, and one that
# reads on to the end from each place takes seconds for four thousand characters.
_EMAIL = re.compile(
    rf"(?<![{_LATIN}.+-])[{_LATIN}.+-]{{1,64}}@[{_LATIN}-]{{1,63}}(?:\.[{_LATIN}-]{{1,63}}){{1,8}}"
    rf"(?<![.-]){_ENDS}"
    r"|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?<![.-])(?!\w)"
)
_NUMBER = (
    r"\d{1,3}(?:[ ,.'\u066c]\d{2,3}){1,5}(?:[.,\u066b]\d{1,2})?"
    r"|\d{1,15}(?:[.,\u066b]\d{1,2})?"
)
_AMOUNT = re.compile(
    rf"(?<![{_LATIN}.])(?P<before>{_any(CURRENCY_OF)})\s?(?P<n1>{_NUMBER})(?![\d])"
    rf"|(?<![{_LATIN}.,])(?P<n2>{_NUMBER})\s?(?P<after>{_with_endings(CURRENCY_OF)})",
    re.IGNORECASE,
)

_ENGLISH_MONTH = "|".join(
    f"[{word[0].upper()}{word[0] if len(word) > 3 else ''}]{word[1:]}"
    for word in sorted((w for w in MONTHS if w.isascii()), key=len, reverse=True)
)
_ISO = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_NUMERIC = re.compile(r"(?<![\d/.-])(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?![\d/-]|\.\d)")
_DAY_MONTH = re.compile(
    rf"{_APART}(\d{{1,2}})(?:st|nd|rd|th|\.)?\s{{0,3}}(?:(?:of|de)\s{{1,3}})?"
    rf"({_any(w for w in MONTHS if '.' in w)}|{_with_endings(w for w in MONTHS if '.' not in w)})"
    rf"(?:\s{{0,3}},?\s{{0,3}}(?:de[l]?\s{{1,3}}|พ\.ศ\.\s{{0,3}}|ปี\s{{0,3}})?(\d{{4}}|\d{{2}})(?!\d))?",
    re.IGNORECASE,
)
# Only English puts the month first; "may" and "mar" are words of other languages too ("mai 2 din
# se" is romanised Hindi), so a short month needs a capital or an ordinal behind it.
_MONTH_DAY = re.compile(
    rf"(?<![\w])({_ENGLISH_MONTH})\.?\s{{1,3}}(\d{{1,2}})(?:st|nd|rd|th)?(?!\d|[.,:]\d)"
    rf"(?:\s{{0,3}},?\s{{0,3}}(\d{{4}})(?!\d))?"
)
_THAI = re.compile("[\u0e01-\u0e3a]")
_BUDDHIST = 543
_BUDDHIST_FROM = 2400
_SHORT_BUDDHIST_FROM = 50
"""Two digits of a year from which a Thai text means the Buddhist one: 69 is 2569, 26 is 2026."""

_PHONE = re.compile(rf"(?<![{_LATIN}+-])(?:\+|00)?\(?\d(?:[ ().\-/]{{0,2}}\d){{6,18}}{_ENDS}")
_CODE_PARTS = r"(?:-[\dA-Za-z]{1,40}){0,6}"
_ORDER_MARKED = re.compile(rf"#\s?(?P<a>[A-Za-z]{{0,6}}-?\d[\dA-Za-z]{{0,40}}{_CODE_PARTS})")
_ORDER_SHAPE = re.compile(
    rf"(?<![{_LATIN}@#-])(?P<a>[A-Za-z]{{1,6}}-?(?=\d)[\dA-Za-z]{{3,40}}{_CODE_PARTS}"
    rf"|\d{{3,40}}(?:-\d{{3,40}}){{1,6}}|\d{{5,40}})(?![{_LATIN}@])(?!\.\w{{1,64}}@)"
)
# A word for orders with a number close behind it: three digits are enough then. Anything but
# digits, spaces and signs may end the word: vowel signs are no letters to `re`.
_ORDER_NAMED = re.compile(
    rf"(?:{_any(ORDER)})[^\d\s!-/:-@\[-`{{-~]{{0,24}}\W{{0,3}}(?:(?:{_any(NUMBER)})\W{{0,3}}){{0,3}}"
    rf"(?P<a>(?:[A-Za-z]{{1,6}}(?=[-\d])-?)?\d[\dA-Za-z]{{2,40}}{_CODE_PARTS})(?![{_LATIN}@]|[.,/]\d)",
    re.IGNORECASE,
)
# What is surely a code, whatever stands around it: letters with many digits, or in groups.
_SURE_SHAPE = re.compile(
    r"[A-Za-z]{1,6}-?\d{5,40}|[A-Za-z]{1,6}-[\dA-Za-z-]{0,40}\d{3}|\d{3,20}(?:-\d{3,20}){1,6}"
)
_ANSWER_LETTERS = 8
"""Letters beside a bare number up to which it is taken for the answer to a question of ours."""

_IDENTIFIERS = frozenset({"order-number", "number", "phone", "email"})
_LEAST_LETTERS = 3
_CODE = re.compile(  # parcels, invoices
    rf"{_APART}(?=(?:[A-Za-z]{{0,40}}\d){{4}})[A-Za-z\d]{{8,64}}{_ENDS}"
)
# Endings that languages with spaces write on to a number; they are no word of the question.
_ENDING = re.compile(
    "(?:[\u0900-\u0dff\u200c\u200d]{1,12}|['\u2019-][a-z\u00df-\u024f]{1,4})(?![^\\W\\d_])"
)


def without_identifiers(text: str) -> str:
    """Remove order and phone numbers, codes and e-mail, which do not say what is asked.

    Embeddings take them for a subject, so "where is my order 1234567" would be hardly surer than a
    guess. A message without other words stays as it is.
    """
    spans = [(e.start, e.end) for e in extract(text) if e.kind in _IDENTIFIERS]
    if any(map(str.isdigit, text)):
        folded = Folded.of(text)
        spans += [folded.span(*match.span()) for match in _CODE.finditer(folded.text)]
    if not spans:
        return text
    parts, position = [], 0
    for start, end in sorted(spans):
        if start < position:
            continue
        ending = _ENDING.match(text, end)
        parts.append(text[position:start].rstrip("#"))
        position = ending.end() if ending else end
    remaining = " ".join("".join([*parts, text[position:]]).split())
    return remaining if sum(map(str.isalpha, remaining)) >= _LEAST_LETTERS else text


@lru_cache(maxsize=_CACHED_TEXTS)
def extract(text: str) -> tuple[Entity, ...]:
    """Find every entity at the beginning of a text (`LOOKED_AT`), in order of appearance; two
    entities never overlap.

    A number that is not surely an order is a "number": nothing says it back to the customer.
    """
    folded = Folded.of(_beginning(text))
    spans: list[tuple[int, int]] = []
    entities: list[Entity] = []
    for finder in (_emails, _dates, _amounts, _marked_orders, _phones_and_orders):
        for kind, value, first, last in finder(folded.text):
            start, end = folded.span(first, last)
            if all(end <= left or start >= right for left, right in spans):
                spans.append((start, end))
                entities.append(Entity(kind, value, text[start:end], start, end))
    return tuple(sorted(entities, key=lambda entity: entity.start))


def _beginning(text: str) -> str:
    """The part that is looked at, which ends with a whole word where there are words."""
    if len(text) <= LOOKED_AT:
        return text
    at = LOOKED_AT
    while at > LOOKED_AT - _LONGEST and not text[at].isspace():
        at -= 1
    return text[: at if text[at].isspace() else LOOKED_AT]


_Matches = Iterator[tuple[str, str, int, int]]


def _emails(text: str) -> _Matches:
    for match in _EMAIL.finditer(text):
        yield "email", match.group().lower(), match.start(), match.end()


def _dates(text: str) -> _Matches:
    for match in _ISO.finditer(text):
        year, month, day = (int(part) for part in match.groups())
        yield from _date(year, month, day, match)
    for match in _NUMERIC.finditer(text):
        day, month = int(match[1]), int(match[3])
        if month > 12:  # month first, as in the United States; otherwise the day leads
            day, month = month, day
        yield from _date(_year(match[4], text), month, day, match)
    for match in _DAY_MONTH.finditer(text):
        yield from _month_name(match.group(1), match.group(2), match.group(3), match)
    for match in _MONTH_DAY.finditer(text):
        yield from _month_name(match.group(2), match.group(1), match.group(3), match)


def _year(written: str, text: str) -> int:
    """Read a year; Thai texts count from the Buddha, often with two digits."""
    year = int(written)
    if len(written) == 2:
        buddhist = _THAI.search(text) is not None and year >= _SHORT_BUDDHIST_FROM
        return year + (2500 - _BUDDHIST if buddhist else 2000)
    return year - _BUDDHIST if year > _BUDDHIST_FROM else year


def _month_name(day: str, month: str, year: str | None, match: re.Match[str]) -> _Matches:
    number = MONTHS[fold(month)]
    end = match.end()
    if year is not None and len(year) == 2 and not _THAI.search(month):
        year, end = None, match.end(2)  # "5 May 10 pieces": only Thai writes years so
    if year is None:
        if 1 <= int(day) <= 31:
            yield "date", f"--{number:02d}-{int(day):02d}", match.start(), end
        return
    yield from _date(_year(year, match.string), number, int(day), match)


def _date(year: int, month: int, day: int, match: re.Match[str]) -> _Matches:
    try:
        value = date(year, month, day).isoformat()
    except ValueError:
        return
    yield "date", value, match.start(), match.end()


def _amounts(text: str) -> _Matches:
    for match in _AMOUNT.finditer(text):
        code = CURRENCY_OF.get(fold(match["before"] or match["after"]))
        if code is not None:
            number = match["n1"] or match["n2"]
            yield "amount", f"{code} {_decimal(number)}", match.start(), match.end()


def _decimal(number: str) -> str:
    """Normalise an amount's grouping and decimal marks; the last mark before 1-2 digits is decimal."""
    parts = re.split(r"[ ,.'\u066b\u066c]", number)
    if len(parts) > 1 and len(parts[-1]) <= 2:
        return "".join(parts[:-1]) + "." + parts[-1].ljust(2, "0")
    return "".join(parts)


def _marked_orders(text: str) -> _Matches:
    for match in (*_ORDER_MARKED.finditer(text), *_ORDER_NAMED.finditer(text)):
        if sum(character.isdigit() for character in match["a"]) >= 3:
            yield "order-number", match["a"].upper(), match.start("a"), match.end("a")


def _phones_and_orders(text: str) -> _Matches:
    for match in _PHONE.finditer(text):
        written = match.group()
        digits = re.sub(r"\D", "", written)
        if not 7 <= len(digits) <= 15:
            continue
        international = written.startswith(("+", "00"))
        if not international and not _reads_as_phone(text, match, digits, written):
            continue
        value = _e164(digits.removeprefix("00")) if international else digits
        yield "phone", value, match.start(), match.end()
    for match in _ORDER_SHAPE.finditer(text):
        kind = "order-number" if _reads_as_order(text, match) else "number"
        yield kind, match["a"].upper(), match.start("a"), match.end("a")


def _e164(digits: str) -> str:
    """Write an international number as one dials it from abroad: "4402079460958" is +442079460958.

    Numbers that no country has stay as they were written; they are still nobody else's business.
    """
    import phonenumbers  # 40 ms, and few messages name a number with its country

    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return f"+{digits}"
    if not phonenumbers.is_possible_number(number):
        return f"+{digits}"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _named_beside(text: str, match: re.Match[str]) -> str:
    """Return what the words beside a number call it: "order", "phone", "other" or nothing."""
    before = text[max(0, match.start() - 40) : match.start()].casefold()
    places = {
        kind: max(before.rfind(word) for word in words)
        for kind, words in (("order", ORDER), ("phone", PHONE), ("other", OTHER))
    }
    nearest = max(places, key=lambda kind: places[kind])
    if places[nearest] >= 0:
        return nearest
    after = text[match.end() : match.end() + 25].casefold()
    for kind, words in (("phone", PHONE), ("order", ORDER)):
        if any(word in after for word in words):
            return kind
    return ""


def _reads_as_phone(text: str, match: re.Match[str], digits: str, written: str) -> bool:
    """A bare run of digits is a telephone number by its shape, or by the words near it."""
    named = _named_beside(text, match)
    if named:
        return named == "phone"
    return written != digits or len(digits) in (10, 11)


def _reads_as_order(text: str, match: re.Match[str]) -> bool:
    """Tell whether a code or a bare number is surely one of an order.

    A post code, a one-time code or a model ("WH1000") looks alike, and would be said back to the
    customer as their order.
    """
    named = _named_beside(text, match)
    if named:
        return named == "order"
    if _SURE_SHAPE.match(match["a"]):
        return True
    beside = text[: match.start()] + text[match.end() :]
    return match["a"].isdigit() and sum(map(str.isalpha, beside)) <= _ANSWER_LETTERS
