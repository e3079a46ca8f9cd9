"""Evaluation of the intent classifier on labelled messages: `python -m bot evaluate intents`.

The classifier is fitted on the training rows alone, with the settings it has in production; its
threshold is the one it picks there. See docs/understanding.md for what each figure means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Embedder, Vectors, embed_many
from bot.understanding.embedding.vector_cache import VectorCache
from bot.understanding.intents.index import IntentIndex
from bot.understanding.intents.prediction import OUT_OF_SCOPE, Example

Row = tuple[str, str]
Flags = npt.NDArray[np.bool_]

_BINS = 10
_CONFUSIONS = 30


def evaluate_intents(
    train_rows: Sequence[Row],
    test_rows: Sequence[Row],
    out_of_scope: str | None = None,
    *,
    embedder: Embedder | None = None,
    background: Sequence[str] | None = None,
    cache: VectorCache | None = None,
) -> dict[str, Any]:
    """Fit on (text, intent) rows and measure on other rows.

    Args:
        train_rows: Rows labelled `out_of_scope` are background; there need not be any.
        out_of_scope: Label of test rows that belong to no intent. None: every row belongs to one,
            and as no row may be refused, the best intent counts whatever its confidence.
        embedder: Default: the shipped one, in the state folder of the settings.
        background: Texts that belong to no intent; default: the shipped ones (`data/nlu`).
        cache: Keeps embeddings of both files.

    Returns:
        `accuracy` over all rows, an out-of-scope row being right when refused;
        `in_scope_accuracy`, a refused row being wrong; `out_of_scope_recall` (None without such
        rows); `macro_f1` and `mcc` (Matthews correlation, out of scope being one more class);
        `ece` (expected calibration error of in-scope rows, 10 bins); `threshold`;
        `best_intent_accuracy` (in scope, nothing refused); `refused` (share of in-scope rows below
        the threshold); `curve`: dicts of threshold, accuracy, in_scope_accuracy,
        out_of_scope_recall, mcc; `calibration`: dicts of confidence, accuracy, rows;
        `confusions`: dicts of intent, taken_for, rows; `rows`; `train_rows`; `intents`.

    Raises:
        ValueError: There are no training or no test rows.
    """
    if not train_rows or not test_rows:
        raise ValueError("evaluation needs training rows and test rows")
    if embedder is None:
        embedder = _shipped_embedder()
    embed = cache.embed if cache is not None else partial(embed_many, embedder)
    examples = [
        Example(text, OUT_OF_SCOPE if label == out_of_scope else label, "")
        for text, label in train_rows
    ]
    index = IntentIndex.fit(
        examples,
        embed([text for text, _ in train_rows]),
        embedder=embedder,
        background=_shipped_background() if background is None else background,
    )
    test_texts = [text for text, _ in test_rows]
    best, confidence = index.predict_many(test_texts, embed(test_texts))
    outside = "" if out_of_scope is None else out_of_scope
    truth = np.array([label for _, label in test_rows])
    guess = np.array(best)
    inside = truth != outside if out_of_scope is not None else np.ones(len(truth), bool)
    threshold = index.threshold if out_of_scope is not None else 0.0
    right = guess == truth
    result: dict[str, Any] = _measures(truth, guess, confidence, inside, threshold, outside)
    return result | {
        "threshold": index.threshold,
        "best_intent_accuracy": _mean(right[inside]),
        "refused": _mean(confidence[inside] < index.threshold),
        "ece": _calibration_error(confidence[inside], right[inside]),
        "curve": [
            {"threshold": float(at), **_measures(truth, guess, confidence, inside, at, outside)}
            for at in _thresholds(confidence)
        ],
        "calibration": _bins(confidence[inside], right[inside]),
        "confusions": _confusions(truth, np.where(confidence >= threshold, guess, outside)),
        "rows": len(test_rows),
        "train_rows": len(train_rows),
        "intents": len(index.labels),
    }


def _shipped_embedder() -> Embedder:
    from bot import settings
    from bot.understanding.embedding.default import load_embedder

    return load_embedder(settings.load().state_dir)


def _shipped_background() -> list[str]:
    from bot import settings
    from bot.understanding.examples import load_dialogue_examples

    examples = load_dialogue_examples(settings.load().data_dir / "nlu")
    return [example.text for example in examples if example.label == OUT_OF_SCOPE]


def _measures(
    truth: npt.NDArray[np.str_],
    guess: npt.NDArray[np.str_],
    confidence: Vectors,
    inside: Flags,
    threshold: float,
    outside: str,
) -> dict[str, float | None]:
    predicted = np.where(confidence >= threshold, guess, outside)
    right = predicted == truth
    table = _table(truth, predicted)
    return {
        "accuracy": _mean(right),
        "in_scope_accuracy": _mean(right[inside]),
        "out_of_scope_recall": _mean(right[~inside]) if (~inside).any() else None,
        "macro_f1": _macro_f1(table),
        "mcc": _matthews(table),
    }


def _mean(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else 0.0


def _macro_f1(table: npt.NDArray[np.float64]) -> float:
    """Return the mean F1 over the classes that occur in the truth; `table` is truth by guess."""
    hits, actual, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    occurs = actual > 0
    return float((2 * hits[occurs] / (actual + predicted)[occurs]).mean())


def matthews(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the Matthews correlation of labels with the true ones, over the classes that occur."""
    return _matthews(_table(np.array(truth), np.array(predicted)))


def _table(truth: npt.NDArray[np.str_], predicted: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """Count truth by guess over all labels that occur."""
    names, codes = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    table = np.zeros((len(names), len(names)))
    np.add.at(table, (codes[: len(truth)], codes[len(truth) :]), 1)
    return table


def _matthews(table: npt.NDArray[np.float64]) -> float:
    """Return Matthews correlation for many classes (Gorodkin, Comput. Biol. Chem. 28, 2004)."""
    total, hits = table.sum(), np.trace(table)
    actual, predicted = table.sum(axis=1), table.sum(axis=0)
    spread = np.sqrt(total**2 - actual @ actual) * np.sqrt(total**2 - predicted @ predicted)
    return float((hits * total - actual @ predicted) / spread) if spread > 0 else 0.0


def _thresholds(confidence: Vectors) -> npt.NDArray[np.float64]:
    even = np.linspace(0.0, 1.0, 21)
    spread = np.quantile(confidence, np.linspace(0.0, 1.0, 31))
    result: npt.NDArray[np.float64] = np.unique(np.concatenate([even, spread]).round(4))
    return result


def _bins(confidence: Vectors, right: Flags) -> list[dict[str, float]]:
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return [
        {
            "confidence": float(confidence[place == i].mean()),
            "accuracy": float(right[place == i].mean()),
            "rows": int((place == i).sum()),
        }
        for i in range(_BINS)
        if (place == i).any()
    ]


def _calibration_error(confidence: Vectors, right: Flags) -> float:
    bins = _bins(confidence, right)
    total = sum(row["rows"] for row in bins) or 1
    return sum(row["rows"] * abs(row["confidence"] - row["accuracy"]) for row in bins) / total


def _confusions(
    truth: npt.NDArray[np.str_], predicted: npt.NDArray[np.str_]
) -> list[dict[str, str | int]]:
    pairs = Counter(
        (str(actual), str(guess))
        for actual, guess in zip(truth, predicted, strict=True)
        if actual != guess
    )
    return [
        {"intent": intent, "taken_for": guess, "rows": count}
        for (intent, guess), count in pairs.most_common(_CONFUSIONS)
    ]
