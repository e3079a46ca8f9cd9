"""Entities of a message: order numbers, e-mail, phone numbers, amounts and dates.

Digits of any script are mapped to 0-9 one character for one character, so offsets stay those of the
customer's text. Patterns are about shapes, not about languages; words that name a kind
("order", "ऑर्डर") only decide what a bare number is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Entity:
    """One value in a message, such as an order number."""

    kind: str  # "order-number", "email", "phone", "amount" or "date"
    value: str  # normalised: "A123456", "x@y.z", "+4915112345678", "USD 12.50", "2026-03-09"
    text: str  # as the customer wrote it
    start: int  # offset of the first character in the message
    end: int  # offset after the last character


LOOKED_AT = 1000
"""Characters of a message in which values are looked for; nobody gives an order number later."""
_LONGEST = 64
"""Characters of the longest value; one may not be cut in two where looking ends."""

# Every repeat is bounded: a pattern may start anywhere in a text that a stranger chose, and one that
# reads on to the end from each place takes seconds for four thousand characters.
_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?<![.-])(?!\w)", re.UNICODE
)

# ISO codes and the signs, short forms and words that stand for them. A bare sign shared by several
# currencies is read as the most used one; "value" keeps what was read, "text" what was written.
_CURRENCIES: dict[str, tuple[str, ...]] = {
    "USD": (
        "$",
        "us$",
        "usd",
        "dollar",
        "dollars",
        "bucks",
        "dólares",
        "dólar",
        "डॉलर",
        "ഡോളർ",
        "ดอลลาร์",
        "دولار",
    ),
    "EUR": ("€", "eur", "euro", "euros", "यूरो", "يورو", "ยูโร"),
    "GBP": ("£", "gbp", "pound", "pounds", "quid"),
    "INR": (
        "₹",
        "inr",
        "rs",
        "rs.",
        "rupee",
        "rupees",
        "rupaye",
        "rupay",
        "रुपये",
        "रुपए",
        "रुपया",
        "रु",
        "രൂപ",
    ),
    "THB": ("฿", "thb", "baht", "บาท"),
    "SAR": ("sar", "riyal", "riyals", "ريال", "﷼"),
    "AED": ("aed", "dirham", "dirhams", "درهم"),
    "EGP": ("egp", "جنيه"),
    "JPY": ("¥", "jpy", "yen"),
    "MXN": ("mxn", "pesos", "peso"),
}
_CURRENCY_OF = {word: code for code, words in _CURRENCIES.items() for word in words}
_CURRENCY = "|".join(re.escape(word) for word in sorted(_CURRENCY_OF, key=len, reverse=True))
_NUMBER = (
    r"\d{1,3}(?:[ ,.'\u066c\u00a0]\d{2,3}){1,5}(?:[.,\u066b]\d{1,2})?"
    r"|\d{1,15}(?:[.,\u066b]\d{1,2})?"
)
_AMOUNT = re.compile(
    rf"(?<![\w.])(?P<before>{_CURRENCY})\s?(?P<n1>{_NUMBER})(?![\d])"
    rf"|(?<![\w.,])(?P<n2>{_NUMBER})\s?(?P<after>{_CURRENCY})(?![^\W\d_])",
    re.IGNORECASE,
)

_MONTHS: dict[str, int] = {
    word: number
    for number, words in enumerate(
        (
            "january jan enero ene janvier januar जनवरी जानेवारी ജനുവരി มกราคม ม.ค. يناير",
            "february feb febrero février februar फरवरी फ़रवरी फेब्रुवारी ഫെബ്രുവരി กุมภาพันธ์ ก.พ. فبراير",
            "march mar marzo mars märz मार्च മാർച്ച് มีนาคม มี.ค. مارس",
            "april apr abril abr avril अप्रैल एप्रिल ഏപ്രിൽ เมษายน เม.ย. أبريل ابريل",
            "may mayo mai मई मे മേയ് മെയ് พฤษภาคม พ.ค. مايو",
            "june jun junio juin juni जून ജൂൺ มิถุนายน มิ.ย. يونيو",
            "july jul julio juillet juli जुलाई जुलै ജൂലൈ กรกฎาคม ก.ค. يوليو",
            "august aug agosto ago août अगस्त ऑगस्ट ഓഗസ്റ്റ് สิงหาคม ส.ค. أغسطس اغسطس",
            "september sep sept septiembre septembre सितंबर सितम्बर सप्टेंबर സെപ്റ്റംബർ กันยายน ก.ย. سبتمبر",
            "october oct octubre octobre oktober अक्टूबर ऑक्टोबर ഒക്ടോബർ ตุลาคม ต.ค. أكتوبر اكتوبر",
            "november nov noviembre novembre नवंबर नवम्बर नोव्हेंबर നവംബർ พฤศจิกายน พ.ย. نوفمبر",
            "december dec diciembre dic décembre dezember दिसंबर दिसम्बर डिसेंबर ഡിസംബർ ธันวาคม ธ.ค. ديسمبر",
        ),
        start=1,
    )
    for word in words.split()
}
_MONTH = "|".join(re.escape(word) for word in sorted(_MONTHS, key=len, reverse=True))
_ENGLISH_MONTH = "|".join(
    f"[{word[0].upper()}{word[0] if len(word) > 3 else ''}]{word[1:]}"
    for word in sorted((w for w in _MONTHS if w.isascii()), key=len, reverse=True)
)
_ISO = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_NUMERIC = re.compile(r"(?<![\d/.-])(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?![\d/-]|\.\d)")
_DAY_MONTH = re.compile(
    rf"(?<![\w])(\d{{1,2}})(?:st|nd|rd|th|\.)?\s{{0,3}}(?:(?:of|de)\s{{1,3}})?({_MONTH})(?![^\W\d_])"
    rf"(?:\s{{0,3}},?\s{{0,3}}(?:de[l]?\s{{1,3}})?(\d{{4}})(?!\d))?",
    re.IGNORECASE,
)
# Only English puts the month first; "may" and "mar" are words of other languages too ("mai 2 din
# se" is romanised Hindi), so a short month needs a capital or an ordinal behind it.
_MONTH_DAY = re.compile(
    rf"(?<![\w])({_ENGLISH_MONTH})\.?\s{{1,3}}(\d{{1,2}})(?:st|nd|rd|th)?(?!\d|[.,:]\d)"
    rf"(?:\s{{0,3}},?\s{{0,3}}(\d{{4}})(?!\d))?"
)

_PHONE = re.compile(r"(?<![\w+-])(?:\+|00)?\(?\d(?:[ ().\-\u00a0/]{0,2}\d){6,18}(?!\w)")
_ORDER_MARKED = re.compile(
    r"(?:#|№)\s?(?P<a>[A-Za-z]{0,6}-?\d[\dA-Za-z]{0,40}(?:-[\dA-Za-z]{1,40}){0,6})", re.IGNORECASE
)
_NUMBER_WORDS = (
    r"no|nr|num|number|nummer|id|code|is|es|ist|hai|नंबर|नम्बर|क्रमांक|संख्या|है|número|numero|núm|"
    r"رقم|رقمه|هو|หมายเลข|เลขที่|คือ|നമ്പർ|നമ്പര്‍|ഐഡി"
)
_ORDER_SHAPE = re.compile(
    r"(?<![\w@#-])(?P<a>[A-Za-z]{1,6}-?(?=\d)[\dA-Za-z]{3,40}(?:-[\dA-Za-z]{1,40}){0,6}"
    r"|\d{3,40}(?:-\d{3,40}){1,6}|\d{5,40})(?![\w@])(?!\.\w{1,64}@)"
)
# Stems that say "the number beside me is an order": matched as prefixes, case-folded.
_ORDER_WORDS = (
    "order",
    "ordr",
    "parcel",
    "package",
    "shipment",
    "tracking",
    "awb",
    "booking",
    "invoice",
    "pedido",
    "orden",
    "paquete",
    "envío",
    "commande",
    "bestell",
    "ordine",
    "ऑर्डर",
    "आर्डर",
    "ओर्डर",
    "पार्सल",
    "ഓർഡർ",
    "ഓര്‍ഡര്‍",
    "പാഴ്സൽ",
    "ออเดอร์",
    "คำสั่งซื้อ",
    "พัสดุ",
    "طلب",
    "الطلب",
    "طلبي",
    "شحنة",
    "sipariş",
    "заказ",
    "注文",
    "订单",
)
# A word for orders with a number close behind it: three digits are enough then.
_ORDER_NAMED = re.compile(
    rf"(?:{'|'.join(_ORDER_WORDS)})[^\W\d]{{0,24}}\W{{0,3}}(?:(?:{_NUMBER_WORDS})\W{{1,3}}){{0,3}}"
    r"(?P<a>[A-Za-z]{0,6}-?\d[\dA-Za-z]{2,40}(?:-[\dA-Za-z]{1,40}){0,6})(?![\w@]|[.,/]\d)",
    re.IGNORECASE,
)
_PHONE_WORDS = (
    "phone",
    "call",
    "mobile",
    "cell",
    "whatsapp",
    "tel",
    "contact",
    "teléfono",
    "telefono",
    "llám",
    "celular",
    "móvil",
    "फोन",
    "फ़ोन",
    "मोबाइल",
    "मोबाईल",
    "കോൾ",
    "ഫോൺ",
    "മൊബൈൽ",
    "โทร",
    "เบอร์",
    "هاتف",
    "جوال",
    "موبايل",
    "اتصل",
    "رقمي",
)

_IDENTIFIERS = frozenset({"order-number", "phone", "email"})
_LEAST_LETTERS = 3
_CODE = re.compile(r"(?<!\w)(?=(?:[A-Za-z]{0,40}\d){4})[A-Za-z\d]{8,64}(?!\w)")  # parcels, invoices


def without_identifiers(text: str) -> str:
    """Remove order and phone numbers, codes and e-mail, which do not say what is asked.

    Embeddings take them for a subject, so "where is my order 1234567" would be hardly surer than a
    guess. A message without other words stays as it is.
    """
    parts, position = [], 0
    for entity in extract(text):
        if entity.kind in _IDENTIFIERS:
            parts.append(text[position : entity.start].rstrip("#"))
            position = entity.end
    remaining = _CODE.sub("", "".join([*parts, text[position:]]))
    if remaining == text:
        return text
    remaining = " ".join(remaining.split())
    return remaining if sum(map(str.isalpha, remaining)) >= _LEAST_LETTERS else text


def extract(text: str) -> tuple[Entity, ...]:
    """Find every entity at the beginning of a text (`LOOKED_AT`), in order of appearance; two
    entities never overlap."""
    plain = _western_digits(_beginning(text))
    spans: list[tuple[int, int]] = []
    entities: list[Entity] = []
    for finder in (_emails, _dates, _amounts, _marked_orders, _phones_and_orders):
        for kind, value, start, end in finder(plain):
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


def _western_digits(text: str) -> str:
    """Replace each decimal digit of any script by 0-9, keeping the length."""
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in text
    )


def _emails(text: str) -> _Matches:
    for match in _EMAIL.finditer(text):
        yield "email", match.group().lower(), match.start(), match.end()


def _dates(text: str) -> _Matches:
    for match in _ISO.finditer(text):
        year, month, day = (int(part) for part in match.groups())
        yield from _date(year, month, day, match)
    for match in _NUMERIC.finditer(text):
        first_number, _, second_number, year_text = match.groups()
        year = int(year_text) + (2000 if len(year_text) == 2 else 0)
        if year > 2400:  # Thai Buddhist calendar
            year -= 543
        day, month = int(first_number), int(second_number)
        if month > 12:  # month first, as in the United States; otherwise the day leads
            day, month = month, day
        yield from _date(year, month, day, match)
    for match in _DAY_MONTH.finditer(text):
        yield from _month_name(match.group(1), match.group(2), match.group(3), match)
    for match in _MONTH_DAY.finditer(text):
        yield from _month_name(match.group(2), match.group(1), match.group(3), match)


def _month_name(day: str, month: str, year: str | None, match: re.Match[str]) -> _Matches:
    number = _MONTHS[month.casefold()]
    if year is None:
        if 1 <= int(day) <= 31:
            yield "date", f"--{number:02d}-{int(day):02d}", match.start(), match.end()
        return
    calendar_year = int(year) - 543 if int(year) > 2400 else int(year)
    yield from _date(calendar_year, number, int(day), match)


def _date(year: int, month: int, day: int, match: re.Match[str]) -> _Matches:
    try:
        value = date(year, month, day).isoformat()
    except ValueError:
        return
    yield "date", value, match.start(), match.end()


def _amounts(text: str) -> _Matches:
    for match in _AMOUNT.finditer(text):
        sign = match["before"] or match["after"]
        code = _CURRENCY_OF.get(sign.casefold())
        if code is None:
            continue
        yield "amount", f"{code} {_decimal(match['n1'] or match['n2'])}", match.start(), match.end()


def _decimal(number: str) -> str:
    """Normalise an amount's grouping and decimal marks; the last mark before 1-2 digits is decimal."""
    parts = re.split(r"[ ,.'\u066b\u066c\u00a0]", number)
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
        if not international and _reads_as_order(text, match, digits, written):
            continue
        value = _e164(digits.removeprefix("00")) if international else digits
        yield "phone", value, match.start(), match.end()
    for match in _ORDER_SHAPE.finditer(text):
        yield "order-number", match["a"].upper(), match.start("a"), match.end("a")


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


def _reads_as_order(text: str, match: re.Match[str], digits: str, written: str) -> bool:
    """A bare run of digits is an order number unless it has a phone's shape or words near it."""
    before = text[max(0, match.start() - 40) : match.start()].casefold()
    order_at = max(before.rfind(word) for word in _ORDER_WORDS)
    phone_at = max(before.rfind(word) for word in _PHONE_WORDS)
    if order_at != phone_at:
        return order_at > phone_at
    after = text[match.end() : match.end() + 25].casefold()
    if any(word in after for word in _PHONE_WORDS):
        return False
    if any(word in after for word in _ORDER_WORDS):
        return True
    return written == digits and len(digits) not in (10, 11)
