"""Sentiment model: the mood of a message from its embedding, surface and spelling.

One model covers every language of the embedding. It is trained on sentences of our own
(`data/sentiment/*.tsv`), in seconds, and reads a message's embedding, its surface (emoji, capitals,
drawn-out letters, punctuation) and its spelling (letter groups, for romanised chat and slang that
the embedding hardly knows).
See docs/sentiment.md.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Embedder
from bot.understanding.mood.features import FEATURE_NAMES, surface_features
from bot.understanding.ngrams import BUCKETS, ngram_weights

Floats = npt.NDArray[np.float32]
LABELS = ("negative", "neutral", "positive")
_FORMAT = "5"  # part of the stored file's name: raise it when fitting or the features change
# Chosen on sentences held out by language and on Wisesight, see docs/sentiment.md.
_INVERSE_PENALTY = 0.5
SHIPPED = Path(__file__).with_name("fitted")
_MEANING_WEIGHT = 0.5  # mean length of a centred embedding beside spelling of length one
_SURFACE_WEIGHT = 0.3
_FOLDS = 4
DECAY = 0.6
"""Weight of the past in the running mean of a conversation's negativity."""
_CAPITALISED_EVERY = 6  # one sentence in so many is also trained in capitals


class SentimentDataError(ValueError):
    """Error for a malformed training file; the message names file and line."""


@dataclass(frozen=True)
class SentimentReading:
    """Mood of one message."""

    label: str  # "negative", "neutral" or "positive": the most probable of the three
    negative: float  # probability, 0–1
    positive: float  # probability, 0–1
    score: float  # positive minus negative, −1…1


@dataclass(frozen=True)
class SentimentModel:
    """Softmax regression over embedding, surface and spelling; columns in the order of LABELS."""

    dense: Floats  # (dimensions + len(FEATURE_NAMES), 3)
    spelling: Floats  # (BUCKETS, 3)
    rarity: Floats  # (BUCKETS,), inverse document frequency of a spelling piece
    bias: Floats  # (3,)
    centre: Floats  # (dimensions,), subtracted from every embedding

    @classmethod
    def fit(cls, rows: Sequence[tuple[str, str]], vectors: Floats) -> SentimentModel:
        """Train on labelled sentences.

        Args:
            rows: (text, sentiment) pairs, sentiment one of LABELS; each must occur.
            vectors: Their embeddings, shape (len(rows), dimensions).
        Raises:
            SentimentDataError: A label is unknown or missing.
        """
        from scipy import sparse

        truth = np.array([_label_index(label) for _, label in rows])
        if np.bincount(truth, minlength=len(LABELS)).min() < _FOLDS:
            raise SentimentDataError(f"training needs {_FOLDS} rows of each of {LABELS}")
        texts = [text for text, _ in rows]
        counts = [ngram_weights(text) for text in texts]
        documents = np.bincount([bucket for count in counts for bucket in count], minlength=BUCKETS)
        rarity = (np.log((1 + len(rows)) / (1 + documents)) + 1).astype(np.float32)
        spellings = [_spelling(count, rarity) for count in counts]
        pieces = sparse.csr_matrix(
            (
                np.concatenate([weights for _, weights in spellings]),
                np.concatenate([buckets for buckets, _ in spellings]),
                np.cumsum([0, *(len(buckets) for buckets, _ in spellings)]),
            ),
            shape=(len(rows), BUCKETS),
        )
        centre = vectors.mean(axis=0)
        centred = vectors - centre
        scale = _MEANING_WEIGHT / max(float(np.linalg.norm(centred, axis=1).mean()), 1e-9)
        features = sparse.csr_matrix(sparse.hstack([_dense(texts, centred * scale), pieces]))
        regression = _regression(features, truth)
        cooling = 1.0 / _temperature(features, truth)
        weights = (regression.coef_.T * cooling).astype(np.float32)
        dense, spelling = weights[:-BUCKETS], weights[-BUCKETS:]
        dense[: len(centre)] *= scale
        return cls(
            dense=dense,
            spelling=spelling,
            rarity=rarity,
            bias=(regression.intercept_ * cooling).astype(np.float32),
            centre=centre.astype(np.float32),
        )

    def predict(self, text: str, vector: Floats) -> SentimentReading:
        """Read the mood of one message; `vector` is its embedding, shape (dimensions,)."""
        probabilities = self.probabilities([text], vector[None, :])[0]
        negative, _, positive = (float(p) for p in probabilities)
        return SentimentReading(
            label=LABELS[int(probabilities.argmax())],
            negative=negative,
            positive=positive,
            score=positive - negative,
        )

    def probabilities(self, texts: Sequence[str], vectors: Floats) -> Floats:
        """Return class probabilities, shape (len(texts), 3), columns as in LABELS."""
        logits = _dense(texts, vectors - self.centre) @ self.dense + self.bias
        for row, text in enumerate(texts):
            buckets, weights = _spelling(ngram_weights(text), self.rarity)
            logits[row] += weights @ self.spelling[buckets]
        result: Floats = _softmax(logits)
        return result

    def save(self, path: Path) -> None:
        """Write the model as one file; a reader gets the old file or the new one, never half."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> SentimentModel:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def load_or_fit(
    state_dir: Path,
    data_dir: Path,
    embedder: Embedder,
    languages: Collection[str] | None = None,
) -> SentimentModel:
    """Open the model for the present training files; fit it when there is none yet.

    Args:
        state_dir: Folder that keeps fitted models, one file for each content of the data.
        data_dir: The project's data folder; training files are `sentiment/*.tsv` in it.
        languages: Train on these languages alone; None for all.
    Raises:
        SentimentDataError: The training files are missing or malformed.
    """
    name = file_name(data_dir, embedder, languages)
    for folder in (state_dir, SHIPPED):
        if (folder / name).exists():
            return SentimentModel.load(folder / name)
    return SentimentModel.load(fit_into(state_dir, data_dir, embedder, languages))


def file_name(data_dir: Path, embedder: Embedder, languages: Collection[str] | None = None) -> str:
    """Name the file of the model that the present data, code and embedder make."""
    content = hashlib.sha256(f"{_FORMAT} {embedder.name} {FEATURE_NAMES}".encode())
    for file in _files(data_dir, languages):
        content.update(file.name.encode() + b"\0" + file.read_bytes())
    return f"sentiment-{content.hexdigest()[:16]}.npz"


def fit_into(
    folder: Path,
    data_dir: Path,
    embedder: Embedder,
    languages: Collection[str] | None = None,
) -> Path:
    """Fit the model and save it; takes half a minute, mostly for embedding the sentences."""
    rows = [row for file in _files(data_dir, languages) for row in read_rows(file)]
    rows += _capitalised(rows)
    model = SentimentModel.fit(rows, embedder.embed([text for text, _ in rows]))
    path = folder / file_name(data_dir, embedder, languages)
    model.save(path)
    return path


def _files(data_dir: Path, languages: Collection[str] | None) -> list[Path]:
    files = [
        path
        for path in sorted((data_dir / "sentiment").glob("*.tsv"))
        if languages is None or path.stem in languages
    ]
    if not files:
        raise SentimentDataError(f"{data_dir / 'sentiment'}: no training files (*.tsv)")
    return files


def read_rows(file: Path) -> list[tuple[str, str]]:
    """Read (text, sentiment) rows of a tab-separated file with these two columns in its header.

    Raises:
        SentimentDataError: A column is missing or a row is empty or has an unknown sentiment.
    """
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"text", "sentiment"} <= set(reader.fieldnames or ()):
            raise SentimentDataError(f"{file}: needs the columns text and sentiment")
        rows = []
        for line, row in enumerate(reader, start=2):
            text, label = row["text"], row["sentiment"]
            if not text or label not in LABELS:
                raise SentimentDataError(f"{file}, line {line}: needs a text and one of {LABELS}")
            rows.append((text, label))
    return rows


def running_mean(previous: float, negative: float, *, decay: float = DECAY) -> float:
    """Update the negativity of a conversation, 0–1, with its next message.

    Args:
        previous: Negativity before this message; 0 at the start of a conversation.
        negative: Probability that the message is negative.
        decay: Share of the past that is kept, 0–1; 0 looks at the latest message alone.
    """
    return decay * previous + (1.0 - decay) * negative


def _capitalised(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return some of the rows in capitals, which embedders take for other words."""
    cased = [(text.upper(), label) for text, label in rows if text.upper() != text.lower()]
    return cased[::_CAPITALISED_EVERY]


def _label_index(label: str) -> int:
    try:
        return LABELS.index(label)
    except ValueError:
        raise SentimentDataError(f"unknown sentiment {label!r}, expected one of {LABELS}") from None


def _dense(texts: Sequence[str], centred: Floats) -> Floats:
    signs = np.stack([surface_features(text) for text in texts])
    return np.hstack([centred, _SURFACE_WEIGHT * signs]).astype(np.float32)


def _spelling(counts: Mapping[int, float], rarity: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return a message's buckets and their weights, scaled to length 1."""
    buckets = np.fromiter(counts, np.int64, len(counts))
    weights = np.fromiter(counts.values(), np.float32, len(counts)) * rarity[buckets]
    return buckets, (weights / max(float(np.linalg.norm(weights)), 1e-9)).astype(np.float32)


def _regression(features: Any, truth: npt.NDArray[np.int64]) -> Any:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_INVERSE_PENALTY, class_weight="balanced", max_iter=500)
    return model.fit(features, truth)


def _temperature(features: Any, truth: npt.NDArray[np.int64]) -> float:
    """Find the divisor of the logits that makes held-out probabilities most likely.

    Temperature scaling, Guo et al. 2017 (https://arxiv.org/abs/1706.04599), on folds.
    """
    fold = np.random.default_rng(0).permutation(len(truth)) % _FOLDS
    logits = np.zeros((len(truth), len(LABELS)))
    for held_out in range(_FOLDS):
        test = fold == held_out
        logits[test] = _regression(features[~test], truth[~test]).decision_function(features[test])
    candidates = np.geomspace(0.2, 2.0, 40)
    rows = np.arange(len(truth))
    losses = [-np.log(_softmax(logits / t)[rows, truth] + 1e-12).mean() for t in candidates]
    return float(candidates[int(np.argmin(losses))])


def _softmax(logits: Any) -> Any:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
