"""Tables of the ways in which one word is encoded or typed; `normalise.py` applies them.

A table says what is joined, and where that is written down. Letters are written as code points
where they would not be seen or would join their neighbour.

Sources: The Unicode Standard 15, chapters 9 (Arabic), 12 (Indic scripts), 16 (Thai, Lao);
DoNotEmit.txt of the Unicode Character Database (spellings that look right and are not);
Unicode Standard Annex 15 (normal forms).
"""

from __future__ import annotations

from typing import Final

ZWNJ: Final = "\u200c"
ZWJ: Final = "\u200d"

UNSEEN: Final = "".join(
    map(
        chr,
        (
            0x00AD,  # soft hyphen
            0x034F,  # combining grapheme joiner
            0x061C,  # Arabic direction mark
            0x180E,
            0x200B,
            0x200E,
            0x200F,
            *range(0x202A, 0x202F),
            *range(0x2060, 0x2065),
            *range(0x2066, 0x206A),
            *range(0xFE00, 0xFE10),  # variants of a picture: text or coloured
            0xFEFF,
        ),
    )
)
"""Characters without a picture of their own. Joiners are not among them: they make letters."""

ZEROS: Final = (
    *(0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6),
    *(0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0),
    *(0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0),
    *(0xAA50, 0xABF0),
)
"""Code points of the digit zero of each script (general category Nd); nine digits follow each.
Those of styled and full-width letters are joined by normal form KC."""

STYLED: Final = {
    # Small capitals, and white letters on black circles and squares.
    **dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprtuvwyz", strict=True)),
    **{chr(0x1F150 + n): chr(ord("A") + n) for n in range(26)},
    **{chr(0x1F170 + n): chr(ord("A") + n) for n in range(26)},
    **{chr(0x2775 + n): str(n) for n in range(1, 10)},
    "№": "#",
    "´": "'",  # typed for an apostrophe; normal form KC makes a space of it
}
"""Letters drawn as pictures that normal form KC leaves as they are."""

AS_THEY_ARE: Final = frozenset("ำຳ")
"""Letters that normal form KC takes apart and no keyboard does: Thai and Lao am."""

# Encodings of one letter, longest first: DoNotEmit.txt, and chapter 12.9 for the Malayalam ones.
_CHILLUS: Final = dict(zip("ണനരലളകമയഴ", "ൺൻർൽൾൿൔൕൖ", strict=True))
LETTERS: Final[dict[str, str]] = {
    **{f"{letter}\u0d4d{ZWJ}": chillu for letter, chillu in _CHILLUS.items()},
    "\u0d4e": "ർ",  # the dot above
    "\u0d4c": "\u0d57",  # au, old and new
    "\u0d46\u0d46": "\u0d48",  # e typed twice is ai
    "ഇ\u0d57": "ഈ",
    "ഉ\u0d57": "ഊ",
    "ഒ\u0d57": "ഔ",
    "ഒ\u0d3e": "ഓ",
    "എ\u0d46": "ഐ",
    # Devanagari, and Gujarati and Bengali alike.
    f"अ\u094d{ZWJ}\u0945": "ॲ",
    f"अ{ZWJ}\u0945": "ॲ",
    "अ\u0945": "ॲ",
    "ऍ": "ॲ",
    "ए\u0945": "ॲ",
    "अ\u093e\u0945": "ऑ",
    "अ\u093e": "आ",
    "अ\u0949": "ऑ",
    "अ\u094b": "ओ",
    "अ\u094c": "औ",
    "ए\u0947": "ऐ",
    "\u093e\u0945": "\u0949",
    "\u0945\u093e": "\u0949",
    "\u093e\u0947": "\u094b",
    "\u093e\u0948": "\u094c",
    f"र\u094d{ZWJ}": "\u0931\u094d",  # the eyelash ra of Marathi
    "અ\u0abe": "આ",
    "અ\u0ac5": "ઍ",
    "અ\u0ac9": "ઑ",
    "અ\u0acb": "ઓ",
    "\u0abe\u0ac5": "\u0ac9",
    "অ\u09be": "আ",
    # Thai and Lao: two keys for one vowel.
    "เเ": "แ",
    "ເເ": "ແ",
    "ฤา": "ฤๅ",
}

# Signs that end up above one another are typed in any order, and twice.
_INDIC_SIGNS: Final = (
    "\u0900-\u0903\u093a-\u093c\u093e-\u094d\u0962\u0963\u0981-\u0983\u09bc\u09be-\u09cd\u0a01-\u0a03"
    "\u0a3c-\u0a4d\u0a70\u0a71\u0a81-\u0a83\u0abc\u0abe-\u0acd\u0b01-\u0b03\u0b3c\u0b3e-\u0b4d\u0b82"
    "\u0bbe-\u0bcd\u0c00-\u0c03\u0c3e-\u0c4d\u0c81-\u0c83\u0cbc\u0cbe-\u0ccd\u0d00-\u0d03\u0d3e-\u0d4d"
    "\u0d57\u0d82\u0d83\u0dca-\u0ddf"
)
_THAI_SIGNS: Final = "\u0e31\u0e33-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ecd"
ORDER: Final = (
    ("([\u0e48-\u0e4c]+)([\u0e31\u0e34-\u0e39])", r"\2\1"),  # a tone stands after its vowel
    ("\u0e4d([\u0e48-\u0e4b]*)\u0e32", "\\1\u0e33"),  # am in two parts
    ("\u0e33([\u0e48-\u0e4b]+)", "\\1\u0e33"),
    ("([\u0ec8-\u0ecb]+)([\u0eb1\u0eb4-\u0eb9\u0ebb])", r"\2\1"),
    ("\u0ecd([\u0ec8-\u0ecb]*)\u0eb2", "\\1\u0eb3"),
    ("\u0eb3([\u0ec8-\u0ecb]+)", "\\1\u0eb3"),
    (f"([{_INDIC_SIGNS}{_THAI_SIGNS}])\\1+", r"\1"),
    # Malayalam nta: four spellings no normal form joins; and tta and nma.
    ("ന\u0d4dറ|ൻ\u0d4d?റ", "ന\u0d4dറ"),
    ("ൻമ", "ന\u0d4dമ"),
    ("ററ", "റ\u0d4dറ"),
    ("\u0d41\u0d4d", "\u0d4d"),  # the half u at the end of a word, old and new
)
"""Pairs of a pattern and its replacement, in the order in which they apply. Written so that
PostgreSQL reads them as Python does."""


def _nasal(offset: int) -> tuple[str, str]:
    """Join a nasal before its stop with the dot above: hindi with na or with a dot."""

    def letters(text: str) -> str:
        return "".join(letter if letter == "-" else chr(ord(letter) + offset) for letter in text)

    before_stop = f"[{letters('ङञणन')}]{letters('्')}(?=[{letters('क-घच-झट-ढत-धप-भस')}])"
    m = f"{letters('म')}{letters('्')}(?=[{letters('प-भ')}])"
    return f"{before_stop}|{m}", letters("ं")


# Chapter 12 lays these scripts out alike: Devanagari, Gujarati, Oriya, Telugu, Kannada.
NASALS: Final = tuple(_nasal(offset) for offset in (0, 0x180, 0x200, 0x300, 0x380))

LOAN_DOTS: Final = (("([कखगजफਖਗਜਫਸਲ])[\u093c\u0a3c]", r"\1"),)
"""The dot of borrowed sounds, which most people leave out; the letters of ड and ढ with one are
letters of their own."""

VOWEL_POINTS: Final = "".join(
    map(
        chr,
        (
            0x0640,  # Arabic lengthening stroke
            *range(0x064B, 0x0653),
            0x0670,
            *range(0x0591, 0x05BE),  # Hebrew points and accents
            0x05BF,
            0x05C1,
            0x05C2,
            0x05C4,
            0x05C5,
            0x05C7,
        ),
    )
)

TO_ARABIC: Final = {
    **dict.fromkeys("یېۍےۓ", "ي"),
    **dict.fromkeys("کڪ", "ك"),
    **dict.fromkeys("ہھەۀۂ", "ه"),
    "ۃ": "ة",
}
"""Letters of Persian, Urdu, Pashto, Kurdish and Sindhi keyboards that look like Arabic ones."""

KEYBOARDS: Final[dict[str, dict[str, str]]] = {
    "ar": TO_ARABIC,
    "fa": {"ي": "ی", "ى": "ی", "ك": "ک"},
    "ur": {"ي": "ی", "ى": "ی", "ك": "ک", "ه": "ہ"},
}
"""What a language's readers write for the letters of its neighbours' keyboards."""

COMPARED: Final = {
    **TO_ARABIC,
    **dict.fromkeys("أإآٱ", "ا"),
    "ى": "ي",
    "ئ": "ي",
    "ؤ": "و",
    "ة": "ه",
    "ۃ": "ه",
    "ß": "ss",
    "ø": "o",
    "đ": "d",
    "ł": "l",
    "ı": "i",
    "ँ": "ं",
    "ઁ": "ં",
    "ੰ": "ਂ",
    "ς": "σ",
}
"""Letters that count as one where texts are compared."""

ACCENTS: Final = "".join(map(chr, (*range(0x0300, 0x0370), 0x093C, 0x0A3C)))
"""Marks that do not count where texts are compared: those of Latin, Greek and Cyrillic letters,
and the dots of Devanagari and Gurmukhi."""
