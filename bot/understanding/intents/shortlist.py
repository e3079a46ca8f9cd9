"""Shortlist of labels that may be best, so that not every label is scored.

Scoring every label reads all weights, 50 MB per message for a thousand labels of ten examples. The
kernel says before which labels have an example near; the others' scores would be about zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Vectors
from bot.understanding.intents.ridge import RidgeModel
from bot.understanding.intents.rows import Rows

Numbers = npt.NDArray[np.int64]

MOST_LABELS = 64
"""Labels scored per message. Of 1,011 labels (benchmarks.big_content) the best was among these for
4,800 of 4,800 texts near an example, the second for 99 of 100, and else as good to a thousandth."""
FROM_LABELS = 512
"""Number of labels from which a shortlist costs less than it saves."""


def is_worthwhile(model: RidgeModel, count: int) -> bool:
    """Tell whether a shortlist saves time and misses nothing.

    Not where a few rows stand for all: with their labels' centres instead of examples, 4 of 100
    best labels were missed among the 64, and 4 of 1,000 among 1,024.
    """
    return count >= FROM_LABELS and model.sums is None


class Shortlist:
    """Shortlist for one model; immutable, safe for concurrent use.

    Args:
        model: Fitted to every row, those of the labels first and sorted by them.
        starts: Where the rows of each label begin, and behind the last one's.
    """

    def __init__(self, model: RidgeModel, starts: Numbers) -> None:
        self._model = model
        self._starts, self._end = starts[:-1], int(starts[-1])

    def scores(self, row: Rows, also: Sequence[int] = ()) -> tuple[Numbers, Vectors]:
        """Score a message.

        Args:
            row: A single one.
            also: Labels to score in any case.

        Returns:
            Numbers of the labels that may be best, at least `MOST_LABELS`, and their scores.
        """
        similarities = self._model.kernel(row)[0]
        near = np.maximum.reduceat(similarities[: self._end], self._starts)
        labels = np.argpartition(-near, MOST_LABELS)[:MOST_LABELS]
        if also:
            labels = np.concatenate([labels, np.setdiff1d(np.array(also), labels)])
        return labels, self._model.weights.T[labels] @ similarities
