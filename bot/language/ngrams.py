"""The n-gram detector: small linear models over letters and words, one per script.

A model is a table of 8-bit weights, one row for each hash bucket and one column for each language
(`hi-Latn`: Hindi in Latin letters). Features are the n-grams of 1–5 letters inside a word, with the
word's borders, and the words themselves, hashed without a vocabulary. The score of a language is
the sum of its weights over the features, divided by the square root of their number, plus a bias:
multinomial logistic regression over L2-normalised counts. `bot/language/training.py` builds the
tables from the sentences in `data/language`.
"""

import json
import re
import threading
import unicodedata
import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Final

import numpy as np
import numpy.typing as npt

# Enough letters for any language; bounds the cost.
_READ_CHARS: Final = 300
_LONGEST: Final = 5
_APOSTROPHES: Final = str.maketrans("", "", "'’`´ʼ")
# \w leaves out the vowel signs of Arabic, Indic and Thai letters, and counts digits in.
_MARKS: Final = "\u0300-\u036f\u064b-\u065f\u0670\u0900-\u0963\u0971-\u0dff\u0e31-\u0e4e\u200c"
_NO_LETTERS: Final = re.compile(f"(?:[^\\w{_MARKS}]|[\\d_])+")
# FNV prime and the golden ratio's 64 bits: any odd constants that mix well would do.
_STEP: Final = np.uint64(0x100000001B3)
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_WORD: Final = np.uint64(77)
_SPACE: Final = np.uint64(32)
_LOADING: Final = threading.Lock()

Floats = npt.NDArray[np.float32]


def normalise(text: str) -> str:
    """Return lower-case words of letters only, one space around each.

    Args:
        text: A message without its noise (`scripts.without_noise`).
    """
    lowered = unicodedata.normalize("NFC", text[:_READ_CHARS].lower().translate(_APOSTROPHES))
    return f" {_NO_LETTERS.sub(' ', lowered).strip()} "


def features(words: str, bits: int) -> npt.NDArray[np.int64]:
    """Hash the n-grams and words of normalised text.

    Returns:
        Bucket numbers in 0 … 2**bits - 1, with repetitions, shape (features,).
    """
    codes = np.frombuffer(words.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    letters = codes.astype(np.uint64)
    space = letters == _SPACE
    shift = np.uint64(64 - bits)
    bucket_arrays = []
    rolling = letters
    has_inner_space = space
    for length in range(1, min(_LONGEST, len(letters)) + 1):
        if length > 1:
            rolling = rolling[:-1] * _STEP + letters[length - 1 :]
        if length == 2:
            has_inner_space = space[:-1] & space[1:]
        elif length == 3:
            has_inner_space = space[1:-1]
        elif length > 3:
            # An n-gram may begin or end with a space, not contain one.
            has_inner_space = has_inner_space[:-1] | space[length - 2 : -1]
        bucket_arrays.append(((rolling[~has_inner_space] + np.uint64(length)) * _MIX) >> shift)
    hashes = [zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words.split()]
    bucket_arrays.append(((np.array(hashes, dtype=np.uint64) + _WORD) * _MIX) >> shift)
    return np.concatenate(bucket_arrays).astype(np.int64)


@dataclass(frozen=True)
class Model:
    """Trained table of one script.

    Attributes:
        tags: Languages of the columns, `hi` or `hi-Latn`.
        weights: int8, shape (2**bits, tags).
        scale: What one step of a weight is worth, float32, shape (tags,).
        bias: float32, shape (tags,).
    """

    tags: tuple[str, ...]
    weights: npt.NDArray[np.int8]
    scale: Floats
    bias: Floats

    @cached_property
    def index(self) -> dict[str, int]:
        """Return the column of each tag."""
        return {tag: at for at, tag in enumerate(self.tags)}

    @cached_property
    def romanised(self) -> npt.NDArray[np.bool_]:
        """Tell which columns are languages typed in Latin letters, shape (tags,)."""
        return np.array([tag.endswith("-Latn") for tag in self.tags])

    def scores(self, text: str) -> Floats:
        """Score every language, shape (tags,); their softmax is the probabilities."""
        buckets = features(normalise(text), self.weights.shape[0].bit_length() - 1)
        if not len(buckets):
            return self.bias
        total = self.weights[buckets].sum(axis=0, dtype=np.int32)
        scored: Floats = total * self.scale / np.float32(len(buckets) ** 0.5) + self.bias
        return scored


@cache
def _priors() -> dict[str, float]:
    """Return how much likelier than even (in nats) customers write each language.

    They make "hola" Spanish rather than Catalan. Set by hand from how many people write each
    language to businesses, not measured.
    """
    file = resources.files("bot.language").joinpath("data", "priors.json")
    loaded: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def prior(tag: str) -> float:
    """Return how much likelier than even customers write a language, in nats."""
    return _priors().get(tag, 0.0)


@cache
def _load(script: str) -> Model | None:
    file = resources.files("bot.language").joinpath("data", f"{script}.npz")
    if not file.is_file():
        return None
    with resources.as_file(file) as path, np.load(path, allow_pickle=False) as stored:
        tags = tuple(map(str, stored["tags"]))
        priors = np.array([_priors().get(tag, 0.0) for tag in tags], dtype=np.float32)
        return Model(tags, stored["weights"], stored["scale"], stored["bias"] + priors)


def model_for(script: str) -> Model | None:
    """Return the model of a script (ISO 15924), read once; None for scripts without one."""
    with _LOADING:
        return _load(script)
