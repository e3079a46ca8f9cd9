"""Language detection for one message: language and script. Method: docs/language.md."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

from bot.language import langdetect, scripts
from bot.language.codes import UNDETERMINED
from bot.language.normalise import tidy
from bot.language.vote import Opinion, Ranking, vote

# Text beyond this says nothing new about its language.
_READ_CHARS: Final = 1000
# A text is read in several places, and short ones come again and again.
_CACHED_TEXTS: Final = 512
_JAPANESE: Final = frozenset({"Hani", "Hira", "Kana"})
_KANA_SHARE: Final = 0.1
_LETTERS_PER_CHARACTER: Final = 3
_OTHER_SCRIPT_SHARE: Final = 0.3
_EMBEDDED_WORDS: Final = 2
_SAMPLES: Final = ("hello there", "नमस्ते जी", "سلام", "привет", "你好")

# Scripts that name their language; the reading is sure from two letters on.
_ONE_LANGUAGE: Final = {
    "Armn": "hy",
    "Beng": "bn",
    "Ethi": "am",
    "Geor": "ka",
    "Grek": "el",
    "Gujr": "gu",
    "Guru": "pa",
    "Hang": "ko",
    "Hebr": "he",
    "Jpan": "ja",
    "Khmr": "km",
    "Knda": "kn",
    "Laoo": "lo",
    "Mlym": "ml",
    "Mymr": "my",
    "Orya": "or",
    "Sinh": "si",
    "Taml": "ta",
    "Telu": "te",
    "Thaa": "dv",
    "Thai": "th",
}


@dataclass(frozen=True)
class LanguageReading:
    """Language of one message.

    Attributes:
        language: ISO 639-1 of the (main) language; `und` when the message has no words.
        script: ISO 15924 of most letters; `Zyyy` when there are none.
        confidence: 0.0–1.0.
        romanised: Whether the language is typed in Latin letters though it has its own script.
        mixed: Other languages clearly present, such as ("en",) in Hinglish.
        ranking: Best candidates with their share of probability, best first.
    """

    language: str
    script: str
    confidence: float
    romanised: bool
    mixed: tuple[str, ...]
    ranking: tuple[tuple[str, float], ...]

    @property
    def tag(self) -> str:
        """Return the language as written: `hi`, or `hi-Latn` when romanised."""
        return f"{self.language}-Latn" if self.romanised else self.language

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types under the names of the fields; `ranking` is a list of pairs."""
        return {
            "language": self.language,
            "script": self.script,
            "confidence": round(self.confidence, 4),
            "romanised": self.romanised,
            "mixed": list(self.mixed),
            "ranking": [[language, round(share, 4)] for language, share in self.ranking],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "LanguageReading":
        """Read what `to_dict` wrote."""
        return cls(
            language=str(data["language"]),
            script=str(data["script"]),
            confidence=float(data["confidence"]),
            romanised=bool(data["romanised"]),
            mixed=tuple(map(str, data["mixed"])),
            ranking=tuple((str(language), float(share)) for language, share in data["ranking"]),
        )


NOTHING: Final = LanguageReading(UNDETERMINED, scripts.NO_SCRIPT, 0.0, False, (), ())


def _main_script(counts: Counter[str]) -> str:
    """Choose the script of the message's sentence.

    People put Latin names and words ("order", "refund") into text of any other script, rarely the
    other way round; kana make the Chinese characters around them Japanese, and one such character
    says as much as a few letters.
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
    return other if weight >= _OTHER_SCRIPT_SHARE * weights.total() else "Latn"


def _tell_japanese(text: str) -> Ranking:
    """Tell Japanese without kana ("返品希望") from Chinese by characters only Japanese has."""
    japanese = sum(mark in _japanese_characters() for mark in text)
    return (("ja", 0.9), ("zh", 0.1)) if japanese else (("zh", 0.95), ("ja", 0.05))


@cache
def _japanese_characters() -> frozenset[str]:
    return frozenset(_word_lists()["ja"][0])


def _words_in_script(text: str, script: str) -> str:
    """Return the text without the words of other scripts."""
    return " ".join(
        word for word in text.split() if any(scripts.script_of(mark) == script for mark in word)
    )


def _has_english(words: list[str]) -> bool:
    """Tell whether the words contain English words that no romanised text shares."""
    return (
        len({word.strip(".,!?").lower() for word in words} & _embedded_english()) >= _EMBEDDED_WORDS
    )


@cache
def _word_lists() -> dict[str, list[str]]:
    file = resources.files("bot.language").joinpath("data", "telling.json")
    return {key: words.split() for key, words in json.loads(file.read_text("utf-8")).items()}


@cache
def _embedded_english() -> frozenset[str]:
    return frozenset(_word_lists()["en"])


def _read(cleaned: str, script: str) -> Opinion:
    if script in _ONE_LANGUAGE:
        return Opinion(((_ONE_LANGUAGE[script], 1.0),), False, False)
    if script == "Hani":
        return Opinion(_tell_japanese(cleaned), False, False)
    return vote(_words_in_script(cleaned, script), script)


def examine(text: str) -> tuple[LanguageReading, bool]:
    """Detect the language as `detect` does; also return whether langdetect was needed."""
    cleaned = scripts.without_noise(tidy(text[:_READ_CHARS]))
    counts = scripts.count_scripts(cleaned)
    if not counts:
        return NOTHING, False
    script = _main_script(counts)
    opinion = _read(cleaned, script)
    if not opinion.ranking:
        return LanguageReading(UNDETERMINED, script, 0.0, False, (), ()), opinion.used_langdetect
    language, confidence = opinion.ranking[0]
    mixed: tuple[str, ...] = ()
    if language != "en" and (opinion.romanised or (script != "Latn" and counts["Latn"])):
        words = _words_in_script(cleaned, "Latn").split()
        mixed = ("en",) if _has_english(words) else ()
    reading = LanguageReading(
        language, script, confidence, opinion.romanised, mixed, opinion.ranking[:5]
    )
    return reading, opinion.used_langdetect


@lru_cache(maxsize=_CACHED_TEXTS)
def detect(text: str) -> LanguageReading:
    """Detect the language of a message; any string gets a reading, at bounded cost."""
    return examine(text)[0]


def warm_up() -> None:
    """Load every model now rather than with the first messages; takes about a second."""
    for sample in _SAMPLES:
        detect(sample)
    langdetect.load()
