"""Score the labels that may be best, where there are thousands of them.

Scoring every label reads all weights, tens of megabytes a message. Those that may be best are
found by a look at the examples, which reads a tenth; their scores are the same as ever.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bot.understanding.embed import Vectors, normalise
from bot.understanding.head import Head

Numbers = npt.NDArray[np.int64]

MOST = 64
"""Labels scored a message. Of 1,011 and of 10,011 labels the best one was always among them, the
second in 98 of 100 messages, and else as good to a thousandth (benchmarks.big_content)."""
FROM = 512
"""Labels from which a look ahead costs less than it saves."""


class Shortlist:
    """Looks ahead for one head; immutable, safe for concurrent use.

    Args:
        rows: The examples the head was fitted to, sorted by label, shape (n, d).
        starts: Where the rows of each label begin, and behind the last one's.
    """

    def __init__(self, head: Head, rows: npt.NDArray[np.float16], starts: Numbers) -> None:
        self._head = head
        self._starts, self._end = starts[:-1], int(starts[-1])
        self._centroids: Vectors | None = None
        if head.sums is not None:  # its landmarks are a few of the rows, of any labels
            sums = np.zeros((len(self._starts), rows.shape[1]), np.float32)
            for label, start in enumerate(self._starts):
                sums[label] = rows[start : starts[label + 1]].sum(axis=0, dtype=np.float32)
            self._centroids = normalise(sums)

    def scores(self, row: Vectors) -> tuple[Numbers, Vectors]:
        """Score a message.

        Args:
            row: Shape (1, d).

        Returns:
            Numbers of the labels that may be best, and their scores; shape (`MOST`,) both.
        """
        seen = self._head.kernel(row)[0]
        if self._centroids is not None:
            near = self._centroids @ row[0]
        else:
            near = np.maximum.reduceat(seen[: self._end], self._starts)
        labels = np.argpartition(-near, MOST)[:MOST]
        return labels, self._head.weights.T[labels] @ seen
