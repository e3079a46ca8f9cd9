"""Balance between a pack's entries and the examples of dialogue that come with the product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bot.understanding.intents.prediction import Example, is_entry

_DIALOGUE_SHARE, _LEAST_WEIGHT = 1.5, 0.01
_SCARCE, _PLENTY, _MOST_CAUTION = 20, 100, 0.2


def row_weights(
    label_numbers: npt.NDArray[np.int64], labels: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Weigh rows so that what is asked in dialogue does not outweigh a small pack's entries.

    The product's own examples of dialogue are many, in eleven scripts; a label of them, or the
    background, weighs no more than `_DIALOGUE_SHARE` entries do on average.
    """
    entries = np.array([is_entry(label) for label in labels])
    if not entries.any():
        return np.ones(len(label_numbers), np.float32)
    counts = np.bincount(label_numbers + 1, minlength=len(labels) + 1)
    usual = counts[1:][entries].mean()
    by_label = np.clip(_DIALOGUE_SHARE * usual / np.maximum(counts, 1), _LEAST_WEIGHT, 1.0)
    by_label[1:][entries] = 1.0
    weights: npt.NDArray[np.float32] = by_label[label_numbers + 1].astype(np.float32)
    return weights


def caution(examples: Sequence[Example]) -> float:
    """Return by how much the limits of `OWN_QUESTIONS` are raised: 0 to `_MOST_CAUTION`.

    Few examples of entries say little of what is no request for a person and no anger: of 175
    questions to a clinic with 14 examples an entry one in eight passed for a request.
    """
    counts = Counter(example.label for example in examples if is_entry(example.label))
    usual = float(np.mean(list(counts.values()))) if counts else float(_PLENTY)
    return _MOST_CAUTION * float(np.clip((_PLENTY - usual) / (_PLENTY - _SCARCE), 0.0, 1.0))


def count_wordings(examples: Sequence[Example]) -> list[int]:
    """Count each label's examples in its best language; other languages say the same again."""
    counts = Counter((example.label, example.language) for example in examples)
    most: dict[str, int] = {}
    for (label, _), count in counts.items():
        most[label] = max(count, most.get(label, 0))
    return list(most.values())
