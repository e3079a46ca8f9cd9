"""Tell the language and script of one message. How and how well: docs/language.md."""

from dataclasses import dataclass
from typing import Any, Final

from bot.language import fast, romanised, scripts
from bot.language.codes import UNDETERMINED

# Text beyond this tells nothing new about its language.
_LOOK_AT_CHARS: Final = 1000

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
    "Hira": "ja",
    "Kana": "ja",
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
    """What one message says about its language.

    Attributes:
        language: ISO 639-1 of the (matrix) language; `und` when there is nothing to go on.
        script: ISO 15924 of most letters; `Zyyy` when there are none.
        confidence: 0.0–1.0.
        romanised: A language of another script is typed in Latin letters.
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
        """The language as written: `hi`, or `hi-Latn` when romanised."""
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


def detect(text: str) -> LanguageReading:
    """Read the language of a message; any string gets a reading, at bounded cost."""
    cleaned = scripts.without_noise(text[:_LOOK_AT_CHARS])
    counts = scripts.count_scripts(cleaned)
    if not counts:
        return NOTHING
    script = counts.most_common(1)[0][0]
    if "Hira" in counts or "Kana" in counts:
        script = "Jpan"
        ranking: tuple[tuple[str, float], ...] = (("ja", 1.0),)
    elif script in _ONE_LANGUAGE:
        ranking = ((_ONE_LANGUAGE[script], 1.0),)
    else:
        ranking = fast.rank(cleaned)
    is_romanised = False
    mixed: tuple[str, ...] = ()
    if script == "Latn":
        found = romanised.recognise(cleaned)
        if found is not None:
            is_romanised, mixed = True, found.mixed
            ranking = ((found.language, found.confidence), *ranking[:3])
    if not ranking:
        return LanguageReading(UNDETERMINED, script, 0.0, False, (), ())
    language, confidence = ranking[0]
    return LanguageReading(language, script, confidence, is_romanised, mixed, ranking[:5])
