"""Names of labels as training examples, where a name fits the label's other examples.

Authors name their intents after what is asked ("card_arrival", "faq/order-status"), which helps
most where there are few examples. A name that is unlike its own examples ("misc_2") is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Embedder, Vectors, normalise
from bot.understanding.intents.ridge import fits_exactly
from bot.understanding.intents.rows import Rows, Spelling
from bot.understanding.intents.spaces import Space

NAME_WEIGHT = 0.5
"""Weight of a name beside an example; .2 to 1 measured alike (docs/understanding.md)."""

_STRANGERS = 0.1  # share of other labels that may be nearer to a name than its own
_LEAST_NEARER = 3
_SEPARATORS = re.compile(r"[\s\d_./:,;+&?!()\[\]-]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_GENERIC_WORDS = frozenset(
    ["intent", "intents", "label", "class", "category", "faq", "utter", "topic"]
)


def in_words(label: str) -> str:
    """Return the words of a label; empty when it has none.

    "faq/order-status" gives "order status", "CardArrival" gives "card arrival".
    """
    words = _SEPARATORS.split(_HUMP.sub(" ", label.rpartition("/")[2]))
    telling = [word.lower() for word in words if word and word.lower() not in _GENERIC_WORDS]
    return " ".join(telling) if sum(map(len, telling)) >= _LEAST_NEARER else ""


def fits_examples(
    names: Vectors, name_labels: npt.NDArray[np.int64], rows: Vectors, labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Tell which names are near enough to the mean of their own label's examples.

    Args:
        names: Shape (k, d), in the space of the rows; `name_labels`: their labels.
        rows: Examples, shape (n, d); `labels`: theirs, 0 to the highest, none left out.
    """
    counts = np.bincount(labels)
    sums = np.zeros((len(counts), rows.shape[1]), np.float32)
    np.add.at(sums, labels, rows)
    cosines = names @ normalise(sums / counts[:, None]).T
    own_cosines = cosines[np.arange(len(names)), name_labels]
    nearer = (cosines > own_cosines[:, None]).sum(axis=1)
    result: npt.NDArray[np.bool_] = nearer < max(_LEAST_NEARER, _STRANGERS * len(counts))
    return result


def name_hints(
    labels: Sequence[str],
    space: Space,
    spelling: Spelling,
    rows: Vectors,
    labels_of_rows: npt.NDArray[np.int64],
    embedder: Embedder | None,
) -> tuple[Rows, npt.NDArray[np.int64], float] | None:
    """Return names of labels as further rows, their labels and weight; None when no name fits."""
    texts = [in_words(label) for label in labels]
    named = np.flatnonzero([bool(text) for text in texts])
    if embedder is None or not len(named) or not fits_exactly(len(rows) + len(named)):
        return None
    spoken = [texts[i] for i in named]
    names = Rows(space.map(embedder.embed(spoken)), spelling.map(spoken))
    fit = fits_examples(names.meaning, named, rows, labels_of_rows)
    return (names[fit], named[fit], NAME_WEIGHT) if fit.any() else None
