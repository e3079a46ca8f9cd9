"""Score the labels that may be best, where there are many of them.

Scoring every label reads all weights, 50 MB a message for a thousand labels of ten examples. Whose
examples are near is known before, from the kernel; the others' scores would be about zero.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Vectors
from bot.understanding.intents.ridge import Head

Numbers = npt.NDArray[np.int64]

MOST = 64
"""Labels scored a message. Of 1,011 labels (benchmarks.big_content) the best one was among them for
4,800 of 4,800 texts near an example, the second for 99 of 100, and else as good to a thousandth."""
FROM = 512
"""Labels from which a look ahead costs less than it saves."""


def pays(head: Head, count: int) -> bool:
    """Tell whether to look ahead.

    Not where a few rows stand for all: with their labels' centres instead of examples, 4 of 100
    best labels were missed among the 64, and 4 of 1,000 among 1,024.
    """
    return count >= FROM and head.sums is None


class Shortlist:
    """Looks ahead for one head; immutable, safe for concurrent use.

    Args:
        head: Fitted to every row, those of the labels first and sorted by them.
        starts: Where the rows of each label begin, and behind the last one's.
    """

    def __init__(self, head: Head, starts: Numbers) -> None:
        self._head = head
        self._starts, self._end = starts[:-1], int(starts[-1])

    def scores(self, row: Vectors) -> tuple[Numbers, Vectors]:
        """Score a message.

        Args:
            row: Shape (1, d).

        Returns:
            Numbers of the labels that may be best, and their scores; shape (`MOST`,) both.
        """
        seen = self._head.kernel(row)[0]
        near = np.maximum.reduceat(seen[: self._end], self._starts)
        labels = np.argpartition(-near, MOST)[:MOST]
        return labels, self._head.weights.T[labels] @ seen
