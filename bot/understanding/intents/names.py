"""What a label's name says: one more example, where it fits the others.

Authors name their intents after what is asked ("card_arrival", "faq/order-status"), which helps
most where there are few examples. A name that is unlike its own examples ("misc_2") is left out.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Vectors, normalise

TRUST = 0.5
"""Weight of a name beside an example; .2 to 1 measured alike (docs/understanding.md)."""

_STRANGERS = 0.1  # share of other labels that may be nearer to a name than its own
_AT_LEAST = 3
_BETWEEN = re.compile(r"[\s\d_./:,;+&?!()\[\]-]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_EMPTY = frozenset(["intent", "intents", "label", "class", "category", "faq", "utter", "topic"])


def in_words(label: str) -> str:
    """The words of a label; empty when there are none.

    "faq/order-status" gives "order status", "CardArrival" gives "card arrival".
    """
    words = _BETWEEN.split(_HUMP.sub(" ", label.rpartition("/")[2]))
    kept = [word.lower() for word in words if word and word.lower() not in _EMPTY]
    return " ".join(kept) if sum(map(len, kept)) >= _AT_LEAST else ""


def fitting(
    names: Vectors, of: npt.NDArray[np.int64], rows: Vectors, labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Tell which names are near enough to the mean of their own label's examples.

    Args:
        names: Shape (k, d), in the space of the rows; `of`: their labels.
        rows: Examples, shape (n, d); `labels`: theirs, 0 to the highest, none left out.
    """
    counts = np.bincount(labels)
    sums = np.zeros((len(counts), rows.shape[1]), np.float32)
    np.add.at(sums, labels, rows)
    cosines = names @ normalise(sums / counts[:, None]).T
    own = cosines[np.arange(len(names)), of]
    nearer = (cosines > own[:, None]).sum(axis=1)
    result: npt.NDArray[np.bool_] = nearer < max(_AT_LEAST, _STRANGERS * len(counts))
    return result
