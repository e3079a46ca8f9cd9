"""The langdetect detector, run only where the others leave a doubt.

It takes milliseconds per message, so it runs on few. It is seeded: a text always gets one answer.

Its factory keeps a list of 55 numbers for each of 87,598 n-grams, nearly all of them zero: 60 MB in
every process. Ours keeps the same numbers, and takes a third of that while it reads them.
"""

import json
import threading
from functools import cache
from pathlib import Path
from typing import Any, Final

import marisa_trie
import numpy as np
import numpy.typing as npt

from bot.language.codes import normalise

# Two threads that ask at once must not both load.
_LOADING: Final = threading.Lock()
_SEED: Final = 0
_LONGEST: Final = 3  # letters of an n-gram; profiles name no longer ones


class Frequencies:
    """Table of n-gram frequencies by language, for the n-grams each language has.

    Attributes:
        languages: Names of langdetect's profiles, sorted.
    """

    def __init__(self, folder: Path) -> None:
        """Read langdetect's profiles, one JSON file per language."""
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        self.languages: list[str] = []
        words: list[str] = []
        shares: list[float] = []
        sizes = []
        for path in files:
            profile = json.loads(path.read_text("utf-8"))
            frequencies = {w: n for w, n in profile["freq"].items() if 1 <= len(w) <= _LONGEST}
            self.languages.append(profile["name"])
            words.extend(frequencies)
            shares.extend(n / profile["n_words"][len(w) - 1] for w, n in frequencies.items())
            sizes.append(len(frequencies))
        self._words: Any = marisa_trie.Trie(words)
        rows = np.fromiter((self._words[word] for word in words), np.int32, len(words))
        order = np.argsort(rows, kind="stable")
        self._starts = np.searchsorted(rows[order], np.arange(len(self._words) + 1)).astype("u4")
        self._columns = np.repeat(np.arange(len(files), dtype=np.uint8), sizes)[order]
        self._shares: npt.NDArray[np.float32] = np.array(shares, np.float32)[order]

    def __contains__(self, word: str) -> bool:
        return word in self._words

    def __getitem__(self, word: str) -> list[float]:
        """Return an n-gram's share among those of its length, by language."""
        row = self._words[word]
        part = slice(self._starts[row], self._starts[row + 1])
        row_shares = np.zeros(len(self.languages))
        row_shares[self._columns[part]] = self._shares[part]
        numbers: list[float] = row_shares.tolist()
        return numbers


@cache
def _factory() -> Any:
    from langdetect import detector_factory

    factory = detector_factory.DetectorFactory()
    factory.set_seed(_SEED)
    frequencies = Frequencies(Path(detector_factory.PROFILES_DIRECTORY))
    factory.word_lang_prob_map, factory.langlist = frequencies, frequencies.languages
    return factory


def load() -> None:
    """Read the tables now rather than with the first doubtful message; takes half a second."""
    with _LOADING:
        _factory()


def rank(text: str) -> dict[str, float]:
    """Return langdetect's probabilities by our codes; empty when it finds no features."""
    from langdetect.lang_detect_exception import LangDetectException

    with _LOADING:
        detector = _factory().create()
    detector.append(text.encode("utf-8", "ignore").decode("utf-8"))  # the table takes no surrogates
    try:
        probabilities = detector.get_probabilities()
    except LangDetectException:
        return {}
    shares: dict[str, float] = {}
    for item in probabilities:
        language = normalise(item.lang)
        shares[language] = shares.get(language, 0.0) + float(item.prob)
    return shares
