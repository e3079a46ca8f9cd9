"""The measures, on probabilities that are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bot.understanding.mood.evaluate import evaluate_sentiment
from bot.understanding.mood.sentiment import SentimentDataError


class Scripted:
    """Model and embedder in one: the text says the probability of negative."""

    name = "scripted"
    dimensions = 1

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.zeros((len(texts), 1), np.float32)

    def probabilities(self, texts: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        negative = np.array([float(text) for text in texts])
        return np.stack([negative, (1 - negative) * 0.9, (1 - negative) * 0.1], axis=1)


def _evaluate(rows: list[tuple[str, str]]) -> dict:
    scripted = Scripted()
    return evaluate_sentiment(rows, scripted, scripted)  # type: ignore[arg-type]


def test_a_perfect_order_has_area_one() -> None:
    result = _evaluate([("0.9", "negative"), ("0.8", "negative"), ("0.1", "neutral")])
    assert result["negative_auc"] == 1.0
    assert result["negative_recall_at_5"] == 1.0
    assert result["accuracy"] == result["macro_f1"] == 1.0


def test_area_counts_pairs_and_halves_ties() -> None:
    rows = [("0.6", "negative"), ("0.2", "negative"), ("0.6", "neutral"), ("0.4", "neutral")]
    assert _evaluate(rows)["negative_auc"] == pytest.approx((0.5 + 1 + 0 + 0) / 4)


def test_recall_allows_five_false_alarms_in_a_hundred() -> None:
    others = [(str(i / 200), "neutral") for i in range(100)]  # 0.000 to 0.495
    rows = [*others, ("0.471", "negative"), ("0.469", "negative")]
    assert _evaluate(rows)["negative_recall_at_5"] == pytest.approx(0.5)


def test_a_question_counts_as_neutral() -> None:
    rows = [("0.1", "question"), ("0.9", "negative")]
    assert _evaluate(rows)["accuracy"] == 1.0


def test_without_negatives_there_is_no_area() -> None:
    result = _evaluate([("0.1", "neutral")])
    assert result["negative_auc"] is None
    assert result["messages"] == 1


def test_refuses_nothing_and_unknown_labels() -> None:
    with pytest.raises(SentimentDataError, match="no rows"):
        _evaluate([])
    with pytest.raises(SentimentDataError, match="angry"):
        _evaluate([("0.1", "angry")])
