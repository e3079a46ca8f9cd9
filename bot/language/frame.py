"""The sentence of a message without what is only named or quoted in it.

"Ist mein Old Harbour Tea Set da?" is German, "मुझे Old Harbour Tea Set चाहिए" Hindi: the words of a
name say nothing about the language of the sentence around them, and neither does a message of a
device that the customer quotes. What looks like a name is left out as long as a sentence remains.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Final

from bot.language import scripts, telling

# Two words or more between quotation marks; one alone may be meant with irony.
_QUOTED: Final = re.compile(
    '"[^"\n]{3,200}"|“[^”\n]{3,200}”|„[^“”\n]{3,200}[“”]|«[^»\n]{3,200}»|`[^`\n]{3,200}`'
    "|「[^」\n]{3,200}」|(?<!\\w)'[^'\n]{3,200}'(?!\\w)|(?<!\\w)‘[^’\n]{3,200}’(?!\\w)"
)
# A name: a word with a capital, and further ones; small words may join them.
_NAME_WORD: Final = "[A-Z\u00c0-\u00d6\u00d8-\u00de][\\w&.'’+-]*|\\d[\\w.-]*"
_NAME: Final = re.compile(
    f"(?<!\\w)(?:[A-Z\u00c0-\u00d6\u00d8-\u00de][\\w&.'’+-]*)"
    f"(?:\\s+(?:(?:of|the|and|for|by|de|x|&)\\s+)?(?:{_NAME_WORD}))+"
)
_LEAST_WORDS: Final = 2
_LEAST_LETTERS: Final = 5
_EDGES: Final = ".,;:!?()[]\"'…-–"

_JAPANESE: Final = frozenset({"Hani", "Hira", "Kana"})
_KANA_SHARE: Final = 0.1
_LETTERS_PER_CHARACTER: Final = 3
_OTHER_SCRIPT_SHARE: Final = 0.3
_FRAME_WORDS: Final = 2


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def without_quotes(text: str) -> str:
    """Leave out what is quoted, unless nothing else is said."""
    remaining = _QUOTED.sub(lambda found: " " if " " in found[0].strip() else found[0], text)
    return remaining if _letters(remaining) >= scripts.LEAST_LETTERS else text


def without_names(text: str) -> str:
    """Leave out names of two words and more in Latin letters, if a sentence remains.

    A text in which nearly every word has a capital is written so throughout and stays whole.
    """
    remaining = _NAME.sub(_keep_first, text)
    words = [word for word in remaining.split() if word.strip(_EDGES).isalpha()]
    if len(words) < _LEAST_WORDS or sum(map(len, words)) < _LEAST_LETTERS:
        return text
    return remaining


def _keep_first(found: re.Match[str]) -> str:
    """Keep the first word of a sentence, which has its capital from there."""
    before = found.string[: found.start()].rstrip()
    if before and before[-1] not in ".!?…:¡¿\n":
        return " "
    first, *others = found[0].split()
    return f"{first} " if len(others) > 1 else found[0]


def main_script(text: str, counts: Counter[str]) -> str:
    """Choose the script of the message's sentence.

    People put Latin names and words ("order", "refund") into text of any other script, rarely the
    other way round: Latin letters make the sentence only where they are most of the text and have
    words of their own that no name is made of. Kana make the Chinese characters around them
    Japanese, and one such character says as much as a few letters.
    """
    kana, han = counts["Hira"] + counts["Kana"], counts["Hani"]
    weights = Counter({script: n for script, n in counts.items() if script not in _JAPANESE})
    chinese_or_japanese = "Jpan" if kana >= max(1, _KANA_SHARE * (kana + han)) else "Hani"
    weights[chinese_or_japanese] = _LETTERS_PER_CHARACTER * (kana + han)
    weights["Hang"] *= _LETTERS_PER_CHARACTER
    other, weight = max(
        ((script, n) for script, n in weights.items() if script != "Latn"),
        key=lambda item: item[1],
    )
    if weight == 0:
        return "Latn"
    if weight >= _OTHER_SCRIPT_SHARE * weights.total():
        return other
    return "Latn" if _has_latin_frame(text) else other


def _has_latin_frame(text: str) -> bool:
    words = {word.strip(_EDGES) for word in _NAME.sub(" ", text).split()}
    return len(words & _frame_words()) >= _FRAME_WORDS


@cache
def _frame_words() -> frozenset[str]:
    """Words of which sentences are made, in the larger languages of Latin letters."""
    return telling.words("frame")
