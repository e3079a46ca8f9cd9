"""Language detection for one message: language and script. Method: docs/language.md."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from bot.language import frame, langdetect, scripts, telling
from bot.language.codes import UNDETERMINED
from bot.language.normalise import tidy
from bot.language.vote import Opinion, Ranking, vote

# Text beyond this says nothing new about its language.
_READ_CHARS: Final = 1000
# A text is read in several places, and short ones come again and again.
_CACHED_TEXTS: Final = 512
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


def _tell_japanese(text: str) -> Ranking:
    """Tell Japanese without kana ("返品希望") from Chinese by characters only Japanese has."""
    japanese = not frozenset("".join(telling.words("ja"))).isdisjoint(text)
    return (("ja", 0.9), ("zh", 0.1)) if japanese else (("zh", 0.95), ("ja", 0.05))


def _words_in_script(text: str, script: str) -> str:
    """Return the text without the words of other scripts."""
    return " ".join(
        word for word in text.split() if any(scripts.script_of(mark) == script for mark in word)
    )


def _has_english(words: list[str]) -> bool:
    """Tell whether the words contain English words that no romanised text shares."""
    return (
        len({word.strip(".,!?").lower() for word in words} & telling.words("en")) >= _EMBEDDED_WORDS
    )


def _also_present(sentence: str, language: str, script: str, romanised: bool) -> tuple[str, ...]:
    """Name English where it stands in a sentence of another language.

    In another script two words are enough, such as the name of a thing; between romanised words
    only those count that no romanised text shares.
    """
    if language == "en" or (script == "Latn" and not romanised):
        return ()
    words = _words_in_script(sentence, "Latn").split()
    if script == "Latn":
        return ("en",) if _has_english(words) else ()
    named = [word for word in words if sum(map(str.isalpha, word)) >= scripts.LEAST_LETTERS]
    return ("en",) if len(named) >= _EMBEDDED_WORDS else ()


def _read(cleaned: str, script: str) -> Opinion:
    if script in _ONE_LANGUAGE:
        return Opinion(((_ONE_LANGUAGE[script], 1.0),), False, False)
    if script == "Hani":
        return Opinion(_tell_japanese(cleaned), False, False)
    if script == "Latn":
        return vote(_words_in_script(frame.without_names(cleaned), script), script)
    return vote(_words_in_script(cleaned, script), script)


def examine(text: str) -> tuple[LanguageReading, bool]:
    """Detect the language as `detect` does; also return whether langdetect was needed."""
    cleaned = scripts.without_noise(tidy(text[:_READ_CHARS]))
    sentence = frame.without_quotes(cleaned)
    counts = scripts.count_scripts(sentence)
    if not counts:
        return NOTHING, False
    script = frame.main_script(sentence, counts)
    opinion = _read(sentence, script)
    if not opinion.ranking:
        return LanguageReading(UNDETERMINED, script, 0.0, False, (), ()), opinion.used_langdetect
    language, confidence = opinion.ranking[0]
    mixed = _also_present(sentence, language, script, opinion.romanised)
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
