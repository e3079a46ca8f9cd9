"""Spell languages one way, whatever a vendor, a detector or a customer calls them.

Ours is lower-case ISO 639-1 (`hi`), `und` for "cannot be told", and a script only where it is not
the usual one (`hi-Latn`). Names live in `data/languages.json`, the words around a request to change
language ("speak … please") and for a person in it in `data/requests.json`. See docs/language.md.
"""

import json
import re
import unicodedata
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

UNDETERMINED: Final = "und"

# Older ISO 639 codes, three-letter codes of vendors and of lid.176 with a two-letter equal, and
# members of a macrolanguage that are answered in the macrolanguage.
_ALIASES: Final = {
    "arz": "ar",
    "ara": "ar",
    "cmn": "zh",
    "fil": "tl",
    "gsw": "de",
    "als": "de",
    "in": "id",
    "iw": "he",
    "ji": "yi",
    "jw": "jv",
    "mo": "ro",
    "nb": "no",
    "nn": "no",
    "pnb": "ur",
    "sh": "sr",
    "wuu": "zh",
    "yue": "zh",
    "zh-classical": "zh",
}
_RIGHT_TO_LEFT: Final = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
_TRANSLATOR_SPELLING: Final = {
    # https://cloud.google.com/translate/docs/languages, as deep-translator's GoogleTranslator
    # passes it on.
    "google": {"he": "iw", "jv": "jw", "zh": "zh-CN"},
    # https://developers.deepl.com/docs/getting-started/supported-languages: "no" is Bokmål there.
    "deepl": {"no": "nb"},
    # https://github.com/LibreTranslate/LibreTranslate, GET /languages.
    "libre": {"no": "nb", "zh": "zh-Hans"},
}
# Longer texts mention a language rather than ask for it.
_REQUEST_CHARS: Final = 100
_JOINERS: Final = "\u200c\u200d"
_UNSPACED: Final = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@cache
def _data(name: str) -> dict[str, Any]:
    file = resources.files("bot.language").joinpath("data", name)
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def normalise(tag: str | None) -> str:
    """Turn any spelling of a language into ours.

    Args:
        tag: A detector's code ("zh-cn"), a vendor's locale ("pt_BR"), an IETF tag, or None.

    Returns:
        ISO 639-1 where one exists, else the three-letter code; `und` for nonsense.
    """
    if not tag:
        return UNDETERMINED
    lowered = tag.strip().lower().replace("_", "-")
    if lowered in _ALIASES:
        return _ALIASES[lowered]
    primary = lowered.split("-", 1)[0]
    if not (primary.isascii() and primary.isalpha() and 2 <= len(primary) <= 3):
        return UNDETERMINED
    return _ALIASES.get(primary, primary)


def for_translator(language: str, provider: str) -> str:
    """Spell our `language` the way a translation provider ("google", "deepl", "libre") does."""
    primary = language.split("-", 1)[0]
    return _TRANSLATOR_SPELLING.get(provider, {}).get(primary, primary)


def name(language: str) -> str:
    """Name a language in itself ("हिन्दी"); a code without a known name is returned as it is."""
    entry = _data("languages.json").get(normalise(language))
    return str(entry["name"]) if entry else language


def direction(language: str) -> Literal["ltr", "rtl"]:
    """Tell the writing direction of a tag; a romanised tag (`ur-Latn`) runs left to right."""
    if language.lower().endswith("-latn"):
        return "ltr"
    return "rtl" if normalise(language) in _RIGHT_TO_LEFT else "ltr"


def _fold(text: str) -> str:
    """Lower the case and drop accents of Latin letters, so "Español" and "espanol" are one."""
    folded = unicodedata.normalize("NFD", text.casefold().replace("'", "").replace("’", ""))
    kept = [
        mark
        for at, mark in enumerate(folded)
        if not (unicodedata.combining(mark) and at and mark <= "\u036f")
    ]
    return unicodedata.normalize("NFC", "".join(kept))


@cache
def _names() -> dict[str, str]:
    """Map every known name of a language, folded, to its code."""
    found: dict[str, str] = {}
    for code, entry in _data("languages.json").items():
        for spelling in (entry["name"], *entry.get("named", ())):
            found[_fold(spelling)] = code
    return found


@cache
def _asking() -> frozenset[str]:
    asking = _data("requests.json")["asking"].values()
    return frozenset(word for words in (*asking, *_persons()) for word in _fold(words).split())


@cache
def _persons() -> tuple[str, ...]:
    """Words and phrases that name a person to talk to, folded."""
    named = _data("requests.json")["person"].values()
    return tuple(_fold(phrase) for phrases in named for phrase in phrases)


@cache
def _refusing() -> frozenset[str]:
    return frozenset(_fold(_data("requests.json")["refusing"]).split())


def _pieces(token: str) -> list[str]:
    """Cut a token of a script without spaces into known words; other tokens stay whole."""
    if not _UNSPACED.search(token):
        return [token]
    known = _names().keys() | _asking() | _refusing()
    longest = max(map(len, known))
    # Cheapest cover ending at each place, longest words first so "ภาษาไทย" is one name.
    cover: list[list[str] | None] = [[]] + [None] * len(token)
    for end in range(1, len(token) + 1):
        for start in range(max(0, end - longest), end):
            before, word = cover[start], token[start:end]
            if before is not None and word in known:
                best = cover[end]
                if best is None or len(before) + 1 < len(best):
                    cover[end] = [*before, word]
    return cover[-1] or [token]


def _words(text: str) -> list[str]:
    tokens = "".join(
        mark if unicodedata.category(mark)[0] in "LMN" or mark in _JOINERS else " "
        for mark in _fold(text)
    ).split()
    return [piece for token in tokens for piece in _pieces(token)]


def person_named_in(text: str) -> bool:
    """Tell whether a request for a language is one for a person who speaks it.

    "i want to talk to someone in Hindi" is both; classifiers hear the language alone.
    """
    words = f" {' '.join(_words(text))} "
    return any(f" {phrase} " in words for phrase in _persons())


def language_named_in(text: str) -> str | None:
    """Recognise a request to go on in a language: "speak English", "हिंदी में बोलिए", "Thai please".

    Every word beside the name must belong to the vocabulary of such requests, so "do you have the
    manual in Spanish?" is a question about a manual. A name next to a refusal ("not English") is
    left out.

    Returns:
        ISO 639-1 code of the one language asked for, or None.
    """
    if not text or len(text) > _REQUEST_CHARS:
        return None
    words = _words(text)
    names, asking, refusing = _names(), _asking(), _refusing()
    found: list[str] = []
    refused = False
    at = 0
    while at < len(words):
        pair = " ".join(words[at : at + 2])
        word = pair if pair in names else words[at]
        at += 2 if word == pair and " " in pair else 1
        if word in names:
            if not refused:
                found.append(names[word])
            refused = False
        elif word in refusing:
            refused = True
            # "hindi nahi, english": the refusal may follow the name it belongs to.
            if found and at >= 2 and words[at - 2] in names:
                found.pop()
                refused = False
        elif word not in asking:
            return None
    return found[-1] if found and len(set(found)) == 1 else None
