"""Evaluation of a sentiment model on labelled messages. See docs/sentiment.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Embedder
from bot.understanding.mood.sentiment import LABELS, SentimentDataError, SentimentModel

# Wisesight marks messages that only ask something; a question carries no mood.
_SAME_AS = {"question": "neutral"}
_FALSE_ALARMS = 0.05
_BATCH = 256


def evaluate_sentiment(
    rows: Sequence[tuple[str, str]], model: SentimentModel, embedder: Embedder
) -> dict[str, Any]:
    """Measure a model on (text, sentiment) rows.

    Returns:
        `accuracy` and `macro_f1` over the classes that occur; `negative_auc`, the area under the
        ROC curve of negative against the rest; `negative_recall_at_5`, the share of negative
        messages found when 5 % of the others are flagged; `messages`. The last but one pair is
        None when the rows are all negative or have no negative.
    Raises:
        SentimentDataError: There are no rows, or a label is unknown.
    """
    if not rows:
        raise SentimentDataError("no rows to evaluate")
    truth = np.array([_index(label) for _, label in rows])
    batches = []
    for start in range(0, len(rows), _BATCH):
        texts = [text for text, _ in rows[start : start + _BATCH]]
        batches.append(model.probabilities(texts, embedder.embed(texts)))
    probabilities = np.vstack(batches)
    guesses = probabilities.argmax(axis=1)
    negative = truth == LABELS.index("negative")
    scores = probabilities[:, LABELS.index("negative")].astype(float)
    mixed = 0 < negative.sum() < len(rows)
    return {
        "accuracy": float((guesses == truth).mean()),
        "macro_f1": _macro_f1(truth, guesses),
        "negative_auc": _area_under_curve(scores, negative) if mixed else None,
        "negative_recall_at_5": _recall_at(scores, negative, _FALSE_ALARMS) if mixed else None,
        "messages": len(rows),
    }


def _index(label: str) -> int:
    label = _SAME_AS.get(label, label)
    if label not in LABELS:
        raise SentimentDataError(f"unknown sentiment {label!r}, expected one of {LABELS}")
    return LABELS.index(label)


def _macro_f1(truth: npt.NDArray[Any], guesses: npt.NDArray[Any]) -> float:
    values = []
    for label in np.unique(truth):
        hits = ((truth == label) & (guesses == label)).sum()
        values.append(2 * hits / ((truth == label).sum() + (guesses == label).sum()))
    return float(np.mean(values))


def _area_under_curve(scores: npt.NDArray[Any], positive: npt.NDArray[Any]) -> float:
    """Return the area under the ROC curve (Mann–Whitney form); equal scores count half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n = int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(scores) - n)))


def _recall_at(scores: npt.NDArray[Any], positive: npt.NDArray[Any], false_alarms: float) -> float:
    """Return the share of positives above the lowest threshold within the limit of false alarms."""
    others = np.sort(scores[~positive])[::-1]
    allowed = int(false_alarms * len(others))
    return float((scores[positive] > others[allowed]).mean())
