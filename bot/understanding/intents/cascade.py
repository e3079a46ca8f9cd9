"""The cheap first look at a message: the second view alone, where it leaves no doubt.

Nine tenths of the cost of an embedding is the first view (multilingual-e5-small). What it would say
of a text can mostly be told from the second (the Universal Sentence Encoder): a least-squares map
from one to the other, fitted on the examples of the content, fills its place, and the same index
judges the result; the mood is read by a model fitted to the second view alone. Where they are sure,
the first view is not asked; where anything is in doubt that matters, it is. Decision 0007 in
docs/decisions has the agreement of the two ways.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np

from bot.understanding.embedding.embedder import Embedder, Vectors, normalise
from bot.understanding.intents.index import Example, Prediction
from bot.understanding.mood.sentiment import SentimentReading, running_mean

SURE = 0.9
"""Confidence from which an intent is taken without the first view. With the nearest example
agreeing, decisions differ from those of both views for 0.16 % of BANKING77, 0.36 % of CLINC150 and
none of 829 messages of our own traffic; 0.85 doubles that, 0.95 saves a tenth fewer embeddings."""
LEAD = 0.5
"""And its least lead over the runner-up."""
CALM = 0.4
"""Probability of a negative mood up to which a message is not 0.9 negative for both views."""
DOUBT = 0.25
"""How much more negative a message may be for both views than for the second alone: more than that
were 8 % of 1,244 messages of the recorded traffic."""
HARDLY = 0.5
"""Confidence below which a part of a message surely is no question of its own."""
MOST_CHARS = 300
"""Longer texts are stories, and the second view reads their beginning only."""
_RIDGE = 2.0
_ROWS = 4000  # examples the map is fitted to, at most: more hardly change it
_LEAST_ROWS = 50


class TwoViewEmbedder(Embedder, Protocol):
    """What the cascade needs of an embedder; others are used as they are."""

    views: tuple[int, ...]
    """Widths of the views."""
    second_view_languages: Collection[str]
    reference: Vectors
    """More rows to learn from, in languages the second view knows."""

    def second_view(self, text: str) -> Vectors:
        """The second part of the vector of a text, length 1/√2."""

    def known(self, text: str) -> Vectors | None:
        """The whole vector, if it was made not long ago."""


@dataclass(frozen=True)
class Cascade:
    """Makes whole vectors of the second view alone."""

    embedder: TwoViewEmbedder
    prediction: Vectors
    """(second, first): least-squares map from the second view to the first."""

    @classmethod
    def fit(
        cls, examples: Sequence[Example], vectors: Vectors, embedder: Embedder
    ) -> Cascade | None:
        """Learn the map; None where there is no second view, or too little to learn from.

        Args:
            vectors: Embeddings of the examples, shape (n, dimensions).
        """
        if not has_two_views(embedder):
            return None
        split = embedder.views[0]
        known = embedder.second_view_languages
        readable = [i for i, example in enumerate(examples) if example.language in known]
        some = readable[:: max(1, -(-len(readable) // _ROWS))]
        rows = np.concatenate([np.asarray(vectors[some], np.float32), embedder.reference])
        if len(rows) < _LEAST_ROWS:
            return None
        first, second = normalise(rows[:, :split]), normalise(rows[:, split:])
        gram = second.T @ second
        gram[np.diag_indices_from(gram)] += _RIDGE
        return cls(embedder, np.linalg.solve(gram, second.T @ first).astype(np.float32))

    def embed(self, text: str) -> Vectors:
        """A vector of both views, the first of them predicted; shape (dimensions,)."""
        return self.complete(self.embedder.second_view(text))

    def complete(self, second: Vectors) -> Vectors:
        """Put the predicted first view before the second."""
        first = second @ self.prediction
        first *= np.sqrt(0.5) / max(float(np.linalg.norm(first)), 1e-9)
        return np.concatenate([first, second])

    def save(self, path: Path) -> None:
        """Write one file."""
        np.save(path, self.prediction)

    @classmethod
    def load(cls, path: Path, embedder: Embedder) -> Cascade | None:
        """Map what `save` wrote; None where nothing was fitted."""
        if not path.exists() or not has_two_views(embedder):
            return None
        return cls(embedder, np.load(path, mmap_mode="r").view(np.ndarray))


class SecondView:
    """The second view as an embedder by itself."""

    def __init__(self, embedder: TwoViewEmbedder) -> None:
        self._embedder = embedder
        self.name = f"{embedder.name}-second"
        self.dimensions = embedder.views[1]
        self.languages = embedder.second_view_languages

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`; rows have the length 1/√2."""
        return np.stack([self._embedder.second_view(text) for text in texts])


def has_two_views(embedder: Embedder) -> TypeGuard[TwoViewEmbedder]:
    """Whether an embedder can be asked for its second view alone."""
    return len(getattr(embedder, "views", ())) == 2 and hasattr(embedder, "second_view")


def is_sure(prediction: Prediction) -> bool:
    """Whether the first view could hardly change what is done about this."""
    return (
        prediction.label is not None
        and prediction.confidence >= SURE
        and prediction.margin >= LEAD
        and prediction.nearest[0][1] == prediction.best
    )


def stays_calm(mood: SentimentReading, unrest: float, limit: float) -> bool:
    """Whether the conversation's running mean stays below the limit, doubt allowed for.

    Args:
        unrest: The mean before this message.
    """
    return running_mean(unrest, min(1.0, mood.negative + DOUBT)) < limit
