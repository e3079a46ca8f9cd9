"""Writing systems of a text, and removal of links, numbers and other noise from it.

Scripts are ISO 15924 codes. Ranges are the Unicode blocks
(https://www.unicode.org/Public/UCD/latest/ucd/Blocks.txt) of scripts customers write in.
"""

import re
from bisect import bisect_right
from collections import Counter
from functools import lru_cache
from typing import Final

NO_SCRIPT: Final = "Zyyy"
LEAST_LETTERS: Final = 3
"""Letters from which a text says anything about its language."""

# First and last code point of each run of blocks, in ascending order.
_BLOCKS: Final = (
    (0x0041, 0x005A, "Latn"),
    (0x0061, 0x007A, "Latn"),
    (0x00C0, 0x00D6, "Latn"),
    (0x00D8, 0x00F6, "Latn"),
    (0x00F8, 0x024F, "Latn"),
    (0x0250, 0x02AF, "Latn"),
    (0x0370, 0x03FF, "Grek"),
    (0x0400, 0x052F, "Cyrl"),
    (0x0530, 0x058F, "Armn"),
    (0x0590, 0x05FF, "Hebr"),
    (0x0600, 0x06FF, "Arab"),
    (0x0700, 0x074F, "Syrc"),
    (0x0750, 0x077F, "Arab"),
    (0x0780, 0x07BF, "Thaa"),
    (0x08A0, 0x08FF, "Arab"),
    (0x0900, 0x0963, "Deva"),
    (0x0966, 0x097F, "Deva"),
    (0x0980, 0x09FF, "Beng"),
    (0x0A00, 0x0A7F, "Guru"),
    (0x0A80, 0x0AFF, "Gujr"),
    (0x0B00, 0x0B7F, "Orya"),
    (0x0B80, 0x0BFF, "Taml"),
    (0x0C00, 0x0C7F, "Telu"),
    (0x0C80, 0x0CFF, "Knda"),
    (0x0D00, 0x0D7F, "Mlym"),
    (0x0D80, 0x0DFF, "Sinh"),
    (0x0E01, 0x0E3A, "Thai"),
    (0x0E40, 0x0E5B, "Thai"),
    (0x0E80, 0x0EFF, "Laoo"),
    (0x0F00, 0x0FFF, "Tibt"),
    (0x1000, 0x109F, "Mymr"),
    (0x10A0, 0x10FF, "Geor"),
    (0x1100, 0x11FF, "Hang"),
    (0x1200, 0x139F, "Ethi"),
    (0x1780, 0x17FF, "Khmr"),
    (0x1C80, 0x1C8F, "Cyrl"),
    (0x1E00, 0x1EFF, "Latn"),
    (0x1F00, 0x1FFF, "Grek"),
    (0x2D00, 0x2D2F, "Geor"),
    (0x3040, 0x309F, "Hira"),
    (0x30A1, 0x30FA, "Kana"),
    (0x3130, 0x318F, "Hang"),
    (0x3400, 0x4DBF, "Hani"),
    (0x4E00, 0x9FFF, "Hani"),
    (0xA8E0, 0xA8FF, "Deva"),
    (0xAC00, 0xD7AF, "Hang"),
    (0xF900, 0xFAFF, "Hani"),
    (0xFB1D, 0xFB4F, "Hebr"),
    (0xFB50, 0xFDFF, "Arab"),
    (0xFE70, 0xFEFE, "Arab"),
    (0xFF21, 0xFF3A, "Latn"),
    (0xFF41, 0xFF5A, "Latn"),
    (0xFF66, 0xFF9F, "Kana"),
    (0x20000, 0x3134F, "Hani"),
)
_STARTS: Final = tuple(block[0] for block in _BLOCKS)

# Addresses, mentions and anything with a digit in it (order numbers) have no language, and neither
# has the ending that Indian languages write on to a number. Each alternative is a run of one class,
# so matching is linear in the text. Thai, Chinese and others write the next word on to all of them:
# only Latin letters go on.
_LATIN: Final = r"0-9A-Za-z_\u00c0-\u024f"
_NOISE: Final = re.compile(
    r"(?:https?://|www\.)[!-~]{1,500}"
    rf"|[{_LATIN}.+%-]{{1,100}}@[{_LATIN}.-]{{1,100}}"
    r"|(?<!\w)[@#/]\w{1,100}"
    rf"|(?:[A-Za-z]{{1,20}}-)?[\u0041-\u024f]{{0,40}}\d[{_LATIN}-]{{0,100}}"
    r"(?:[\u0900-\u0dff\u200c\u200d]{1,12}(?![^\W\d_]))?"
)
# Arabic in Latin letters writes its own sounds as digits: "3ayez", "el 7aga", "ba3d". Letter pairs
# that no language has stand for them, so that the models see them; a unit behind a number is none.
_CHAT_WORD: Final = re.compile(
    r"(?<![\w@#./+-])(?![23579](?:rd|nd|th|st|am|pm|[kmg]?gb?|m?mb|[cmk]?m|m?l|hrs?|h|min|sec|days?|din"
    r"|dias?|d[ií]as|weeks?|months?|years?|yrs?|x|pcs?|packs?|stars?|inch|ft|items?|baa?r|baje|log|lakh"
    r"|vez|veces|jours?|tage?)\b)"
    r"(?=[a-z]*[23579][a-z])[a-z]*(?:[23579][a-z']{1,12}){1,3}[35]?(?![\w@.-]\w|\w)"
    r"|(?<![\w@#./+-])[a-z]{1,6}[aoie]3(?![\w@-])",
    re.IGNORECASE,
)
_CHAT_LETTERS: Final = str.maketrans({"2": "vx", "3": "qx", "5": "kx", "7": "hx", "9": "sx"})
_REPEATED: Final = re.compile(r"(.)\1{2,}", re.DOTALL)


@lru_cache(maxsize=4096)
def script_of(letter: str) -> str:
    """Return the ISO 15924 code of one character, `Zyyy` for digits, emoji and the rest."""
    code = ord(letter)
    block = bisect_right(_STARTS, code) - 1
    if block >= 0 and code <= _BLOCKS[block][1]:
        return _BLOCKS[block][2]
    return NO_SCRIPT


def count_scripts(text: str) -> Counter[str]:
    """Count the letters of each script in a short text; `Zyyy` is left out."""
    counts = Counter(map(script_of, text))
    del counts[NO_SCRIPT]
    return counts


def _spell_out(word: re.Match[str]) -> str:
    """Write the digits of a chat word as letters; "h2o" and "b2b" are none."""
    letters = sum(map(str.isalpha, word[0]))
    if word[0][0].isdigit():
        is_word = word[0][0] in "37" and letters >= LEAST_LETTERS - 1
    else:
        is_word = letters >= LEAST_LETTERS - word[0].endswith("3")
    return word[0].translate(_CHAT_LETTERS) if is_word else word[0]


def without_noise(text: str) -> str:
    """Remove links, addresses and numbers, and shorten runs ("pleaseeee" to "please")."""
    spelled = _CHAT_WORD.sub(_spell_out, text)
    return _REPEATED.sub(r"\1", _NOISE.sub(" ", spelled))
