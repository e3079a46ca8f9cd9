"""The language of a conversation: a belief that short messages do not change.

The rule, in numbers:

- The channel's locale starts the belief with a weight of 0.2 (`PRIOR`).
- The belief decides where a message is ambiguous: each candidate's share in
  `reading.ranking` counts 1 + 60 × its weight (at most 1) times, then shares are made to sum to 1
  again. "سلام" is Persian, Urdu or Arabic as the locale or the conversation has it.
- A message weighs `confidence × min(1, letters / 16)`, where letters are those of words that
  belong to a language: "ok", "hi", "DHL", "refund" (`data/neutral.json`), numbers, links and emoji
  count nothing, and a message left with nothing changes nothing. Several words that all begin
  with a capital look like a name or address ("Calle Mayor") and weigh 0.3 of that.
- Older weights fade by 0.4 × the new weight; the language with the most weight is believed, but a
  new one must lead by 0.02.
- A clear switch flips at once: a weight of at least 0.5 from three words on, or a weight of at
  least 0.1 in another script than the customer's last, unless it is Latin (names, brands).
- Once the customer has written a sentence, names and addresses, with a number or of up to four
  words, change nothing: they answer a question of ours.
- In a mixed message in Latin letters a language the customer has written before wins when it is
  among those present; in another script the sentence is in the language of that script, and the
  Latin words are names and loans.
- Between relatives that short text does not tell apart (`alike` in `data/neutral.json`: Danish and
  Norwegian, Serbian and Croatian, romanised Gujarati and Hindi) the conversation and the locale
  decide, unless a sentence of five words and more is sure (0.97).
- An explicit choice ("speak English", a button) wins until another is made; evidence goes on
  being collected meanwhile. A wish for a language we do not answer in is refused, and the belief
  stays.

The steady weight of a long conversation is 1 / 0.4 = 2.5, so three unclear messages in a row
(0.5 each) do not flip it, four do; at the start, a single "hola" outweighs the locale.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Final

from bot.language import scripts
from bot.language.codes import UNDETERMINED, language_named_in, normalise
from bot.language.detect import LanguageReading
from bot.language.normalise import tidy

PRIOR: Final = 0.2
HOLD: Final = 60.0
FADE: Final = 0.4
NAME_SHARE: Final = 0.3
NAME_WORDS: Final = 4
SMALL_WORD: Final = 3
SURE_OF_RELATIVE: Final = 0.97
SENTENCE_WORDS: Final = 5
LEAST_LEAD: Final = 0.02
CLEAR_WEIGHT: Final = 0.5
CLEAR_WORDS: Final = 3
CLEAR_IN_OTHER_SCRIPT: Final = 0.1
FULL_LETTERS: Final = 16
# Answered in when neither the customer nor the channel has given a hint.
FALLBACK: Final = "en"
_FORGET_BELOW: Final = 0.02
_READ_CHARS: Final = 1000
_DENSE: Final = frozenset({"Hani", "Hira", "Kana", "Hang"})


@dataclass(frozen=True)
class Belief:
    """The language a customer is answered in, with the evidence for it.

    Attributes:
        language: ISO 639-1, never `und`.
        romanised: The customer types this language in Latin letters though it has its own script.
        script: ISO 15924 the customer last wrote this language in; `Zyyy` before they have.
        weights: Evidence by language, 0.0–2.5, faded; largest first.
        explicit: The language the customer asked for, None when they have not.
    """

    language: str
    romanised: bool = False
    script: str = scripts.NO_SCRIPT
    weights: tuple[tuple[str, float], ...] = ()
    explicit: str | None = None

    @property
    def tag(self) -> str:
        """Return the language as the customer writes it: `hi`, or `hi-Latn` when romanised."""
        return f"{self.language}-Latn" if self.romanised else self.language

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types under the names of the fields; `weights` is an object."""
        return {
            "language": self.language,
            "romanised": self.romanised,
            "script": self.script,
            "weights": {language: round(weight, 3) for language, weight in self.weights},
            "explicit": self.explicit,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Belief":
        """Read what `to_dict` wrote."""
        explicit = data.get("explicit")
        return cls(
            language=str(data["language"]),
            romanised=bool(data.get("romanised", False)),
            script=str(data.get("script", scripts.NO_SCRIPT)),
            weights=tuple((str(key), float(value)) for key, value in data["weights"].items()),
            explicit=None if explicit is None else str(explicit),
        )


@cache
def _data() -> dict[str, Any]:
    file = resources.files("bot.language").joinpath("data", "neutral.json")
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


@cache
def _neutral() -> frozenset[str]:
    return frozenset(_data()["words"].split())


def _words_of_language(text: str) -> list[str]:
    """Return the message's words that belong to one language."""
    words = scripts.without_noise(tidy(text[:_READ_CHARS])).lower().split()
    bare = ("".join(c for c in word if scripts.script_of(c) != scripts.NO_SCRIPT) for word in words)
    return [word for word in bare if word and word not in _neutral()]


def _looks_like_name(text: str) -> bool:
    words = [word for word in text[:_READ_CHARS].split() if word[0].isalpha()]
    if any(map(str.isdigit, text)):  # an address: "Avenue des Champs 9"
        words = [word for word in words if len(word) > SMALL_WORD or word[0].isupper()]
    return len(words) > 1 and all(word[0].isupper() and not word.isupper() for word in words)


def _answers_a_question(text: str) -> bool:
    """Tell whether names are few, or an address: what people write when asked for it."""
    return len(text.split()) <= NAME_WORDS or any(map(str.isdigit, text))


def _is_relative(reading: LanguageReading, language: str, words: list[str]) -> bool:
    """Tell whether a message may as well be in a relative of the language it reads as."""
    is_sure = reading.confidence >= SURE_OF_RELATIVE and len(words) >= SENTENCE_WORDS
    return not is_sure and reading.tag in _data()["alike"].get(language, ())


def _count_letters(words: list[str]) -> int:
    """Count letters; a Chinese, Japanese or Korean character counts as three."""
    return sum(3 if scripts.script_of(mark) in _DENSE else 1 for word in words for mark in word)


def _first_belief(prior: str | None) -> Belief:
    language = normalise(prior)
    if language == UNDETERMINED:
        return Belief(FALLBACK)
    return Belief(language, weights=((language, PRIOR),))


def _in_context(reading: LanguageReading, belief: Belief) -> tuple[str, float]:
    """Return the likeliest language of a message given the belief, and its probability."""
    weights = dict(belief.weights)
    shares = {
        language: share * (1.0 + HOLD * min(1.0, weights.get(language, 0.0)))
        for language, share in reading.ranking
    }
    unlisted = max(0.0, 1.0 - sum(share for _, share in reading.ranking))
    language = max(shares, key=lambda key: shares[key])
    return language, shares[language] / (sum(shares.values()) + unlisted)


def _weigh(belief: Belief, language: str, weight: float) -> tuple[tuple[str, float], ...]:
    remaining_share = 1.0 - FADE * weight
    faded = {
        key: old * remaining_share
        for key, old in belief.weights
        if old * remaining_share >= _FORGET_BELOW
    }
    faded[language] = faded.get(language, 0.0) + weight
    return tuple(sorted(faded.items(), key=lambda item: -item[1]))


def _leader(
    belief: Belief, weights: tuple[tuple[str, float], ...], language: str, *, clear: bool
) -> str:
    if belief.explicit is not None:
        return belief.explicit
    if clear:
        return language
    best, most = weights[0]
    return best if most > dict(weights).get(belief.language, 0.0) + LEAST_LEAD else belief.language


def follow(
    belief: Belief | None,
    reading: LanguageReading,
    *,
    text: str,
    prior: str | None = None,
    answer_languages: Collection[str] | None = None,
) -> tuple[Belief, bool]:
    """Update the belief of a conversation with one message, by the rule of this module.

    Args:
        belief: The belief before the message; None at the first message.
        reading: `detect(text)`.
        text: The message; it may also ask for a language by name.
        prior: Locale of the channel or default of the account, in any spelling.
        answer_languages: Languages the bot answers in, so that one may be asked for; None for all.

    Returns:
        The new belief, and whether the language of the answer changed with this message (never at
        the first one).
    """
    previous = belief or _first_belief(prior)
    requested = language_named_in(text)
    if requested is not None and answer_languages is not None and requested not in answer_languages:
        if belief is not None:
            return belief, False
        requested = None  # a first message tells at least what it is written in
    if requested is not None:
        chosen = choose(previous, requested)
        if reading.language == requested:
            chosen = replace(chosen, romanised=reading.romanised, script=reading.script)
        return chosen, belief is not None and requested != previous.language
    words = _words_of_language(text)
    if reading.language == UNDETERMINED or not words:
        return previous, False
    is_name = _looks_like_name(text)
    if is_name and previous.script != scripts.NO_SCRIPT and _answers_a_question(text):
        return previous, False
    message_language, confidence = _in_context(reading, previous)
    weight = confidence * min(1.0, _count_letters(words) / FULL_LETTERS)
    if is_name:
        weight *= NAME_SHARE
    message_languages = {message_language, reading.language}
    if (
        reading.script == "Latn"
        and previous.script != scripts.NO_SCRIPT
        and previous.language in reading.mixed
    ):
        message_language = previous.language
    elif _is_relative(reading, previous.language, words):
        message_language = previous.language
        message_languages.add(message_language)
    is_clear = (weight >= CLEAR_WEIGHT and len(words) >= CLEAR_WORDS) or (
        reading.script not in (previous.script, "Latn") and weight >= CLEAR_IN_OTHER_SCRIPT
    )
    weights = _weigh(previous, message_language, weight)
    language = _leader(previous, weights, message_language, clear=is_clear)
    if language in message_languages:
        romanised, script = reading.romanised, reading.script
    elif language == previous.language:
        romanised, script = previous.romanised, previous.script
    else:
        romanised, script = False, scripts.NO_SCRIPT
    if is_clear and language != previous.language:
        # What was spoken before must not pull the conversation back after a clear switch.
        weights = tuple((key, old / 2 if key != language else old) for key, old in weights)
    updated = Belief(language, romanised, script, weights, previous.explicit)
    return updated, belief is not None and language != previous.language


def choose(belief: Belief | None, language: str) -> Belief:
    """Set the language to the one the customer chose, until they choose another.

    Args:
        belief: The belief before, or None.
        language: Any spelling of the language; a tag like `hi-Latn` asks for Latin letters too.
    """
    chosen = normalise(language)
    romanised = language.lower().endswith("-latn")
    if belief is not None and belief.language == chosen:
        return replace(belief, romanised=romanised or belief.romanised, explicit=chosen)
    weights = belief.weights if belief is not None else ()
    script = "Latn" if romanised else scripts.NO_SCRIPT
    return Belief(chosen, romanised, script, weights, chosen)
