"""How the customer feels: one model over the sentence embedding, for every language it covers.

The model is trained on sentences of our own (`data/sentiment/*.tsv`), in seconds, and reads a
message's embedding and its surface (emoji, capitals, drawn-out letters, punctuation).
See docs/sentiment.md.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.understanding.embed import Embedder
from bot.understanding.sentiment_features import FEATURE_NAMES, surface

Floats = npt.NDArray[np.float32]
LABELS = ("negative", "neutral", "positive")
_FORMAT = "1"  # part of the stored file's name: raise it when fitting or the features change
_INVERSE_PENALTY = 30.0
_SURFACE_WEIGHT = 0.3


class SentimentDataError(ValueError):
    """A training file is malformed; the message names file and line."""


@dataclass(frozen=True)
class SentimentReading:
    """Mood of one message."""

    label: str  # "negative", "neutral" or "positive": the most probable of the three
    negative: float  # probability, 0–1
    positive: float  # probability, 0–1
    score: float  # positive minus negative, −1…1


@dataclass(frozen=True)
class SentimentModel:
    """Softmax regression over embedding and surface features."""

    weights: Floats  # (dimensions + len(FEATURE_NAMES), 3), columns in the order of LABELS
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
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

        classes = np.array([_label_index(label) for _, label in rows])
        if len(set(classes.tolist())) != len(LABELS):
            raise SentimentDataError(f"training rows must contain each of {', '.join(LABELS)}")
        centre = vectors.mean(axis=0)
        features = _features([text for text, _ in rows], vectors - centre)
        model = LogisticRegression(C=_INVERSE_PENALTY, class_weight="balanced", max_iter=500)
        model.fit(features, classes)
        return cls(
            weights=model.coef_.T.astype(np.float32),
            bias=model.intercept_.astype(np.float32),
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
        """Class probabilities of many messages, shape (len(texts), 3), columns as in LABELS."""
        logits = _features(texts, vectors - self.centre) @ self.weights + self.bias
        logits -= logits.max(axis=1, keepdims=True)
        exponents = np.exp(logits)
        result: Floats = exponents / exponents.sum(axis=1, keepdims=True)
        return result

    def save(self, path: Path) -> None:
        """Write the model as one file; a reader sees the old file or the new one, never half."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.savez(file, weights=self.weights, bias=self.bias, centre=self.centre)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> SentimentModel:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(weights=arrays["weights"], bias=arrays["bias"], centre=arrays["centre"])


def load_or_fit(state_dir: Path, data_dir: Path, embedder: Embedder) -> SentimentModel:
    """Open the model for the present training files, fitting it when there is none yet.

    Args:
        state_dir: Folder that keeps fitted models, one file for each content of the data.
        data_dir: The project's data folder; training files are `sentiment/*.tsv` in it.
    Raises:
        SentimentDataError: The training files are missing or malformed.
    """
    files = sorted((data_dir / "sentiment").glob("*.tsv"))
    if not files:
        raise SentimentDataError(f"{data_dir / 'sentiment'}: no training files (*.tsv)")
    content = hashlib.sha256(f"{_FORMAT} {embedder.name} {FEATURE_NAMES}".encode())
    for file in files:
        content.update(file.name.encode() + b"\0" + file.read_bytes())
    path = state_dir / f"sentiment-{content.hexdigest()[:16]}.npz"
    if path.exists():
        return SentimentModel.load(path)
    rows = [row for file in files for row in read_rows(file)]
    model = SentimentModel.fit(rows, embedder.embed([text for text, _ in rows]))
    model.save(path)
    return model


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


def running_mean(previous: float, reading: SentimentReading, *, decay: float) -> float:
    """Update the negativity of a conversation, 0–1, with its next message.

    Args:
        previous: Negativity before this message; 0 at the start of a conversation.
        decay: Share of the past that is kept, 0–1; 0 looks at the latest message alone.
    """
    return decay * previous + (1.0 - decay) * reading.negative


def _label_index(label: str) -> int:
    try:
        return LABELS.index(label)
    except ValueError:
        raise SentimentDataError(f"unknown sentiment {label!r}, expected one of {LABELS}") from None


def _features(texts: Iterable[str], centred: Floats) -> Floats:
    signs = np.stack([surface(text) for text in texts])
    return np.hstack([centred, _SURFACE_WEIGHT * signs]).astype(np.float32)
