"""First look at a message without the slow first view, taken where it is sure.

Nine tenths of the cost of an embedding is the first view (multilingual-e5-small). Its vector
can mostly be predicted from the second (the Universal Sentence Encoder): a least-squares map from
one to the other, fitted on the examples of the content, fills its place, and the same index
classifies the result; the mood is read by a model fitted to the second view alone. Where both are
sure, the first view is not computed; where anything that matters is in doubt, it is. Decision
0007 in docs/decisions has the agreement of the two ways.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np

from bot.understanding.embedding.embedder import Embedder, Vectors, normalise
from bot.understanding.intents.prediction import Example, Prediction
from bot.understanding.mood.sentiment import SentimentReading, running_mean

SURE = 0.9
"""Confidence from which an intent is taken without the first view. With the nearest example
agreeing, decisions differ from those of both views for 0.16 % of BANKING77, 0.36 % of CLINC150 and
none of 829 messages of our own traffic; 0.85 doubles that, 0.95 saves a tenth fewer embeddings."""
LEAD = 0.5
"""Least lead over the runner-up with which an intent is taken without the first view."""
CALM = 0.4
"""Probability of a negative mood up to which a message is not 0.9 negative for both views."""
DOUBT = 0.25
"""How much more negative a message may be for both views than for the second alone: more than that
were 8 % of 1,244 messages of the recorded traffic."""
UNLIKELY_BELOW = 0.5
"""Confidence below which a part of a message surely is no separate question."""
MOST_CHARS = 300
"""Longer texts are stories, and the second view reads their beginning only."""
_RIDGE = 2.0
_ROWS = 4000  # examples the map is fitted to, at most: more hardly change it
_LEAST_ROWS = 50


class TwoViewEmbedder(Embedder, Protocol):
    """Interface of an embedder the cascade can work with; others are used without one."""

    views: tuple[int, ...]
    """Widths of the two views."""
    second_view_languages: Collection[str]
    reference: Vectors
    """More rows to learn from, in languages the second view knows."""

    def second_view(self, text: str) -> Vectors:
        """Return the second part of a text's vector, length 1/√2."""

    def cached(self, text: str) -> Vectors | None:
        """Return the whole vector of a text if it is still in the cache."""


@dataclass(frozen=True)
class Cascade:
    """Predictor of a whole vector from the second view alone."""

    embedder: TwoViewEmbedder
    prediction: Vectors
    """(second, first): least-squares map from the second view to the first."""

    @classmethod
    def fit(
        cls, examples: Sequence[Example], vectors: Vectors, embedder: Embedder
    ) -> Cascade | None:
        """Fit the map; None where there is no second view, or too few examples.

        Args:
            vectors: Embeddings of the examples, shape (n, dimensions).
        """
        if not has_two_views(embedder):
            return None
        split = embedder.views[0]
        languages = embedder.second_view_languages
        readable = [i for i, example in enumerate(examples) if example.language in languages]
        sample = readable[:: max(1, -(-len(readable) // _ROWS))]
        rows = np.concatenate([np.asarray(vectors[sample], np.float32), embedder.reference])
        if len(rows) < _LEAST_ROWS:
            return None
        first, second = normalise(rows[:, :split]), normalise(rows[:, split:])
        gram = second.T @ second
        gram[np.diag_indices_from(gram)] += _RIDGE
        return cls(embedder, np.linalg.solve(gram, second.T @ first).astype(np.float32))

    def embed(self, text: str) -> Vectors:
        """Return a vector of both views, the first of them predicted; shape (dimensions,)."""
        return self.complete(self.embedder.second_view(text))

    def complete(self, second: Vectors) -> Vectors:
        """Prepend the predicted first view to the second."""
        first = second @ self.prediction
        first *= np.sqrt(0.5) / max(float(np.linalg.norm(first)), 1e-9)
        return np.concatenate([first, second])

    def save(self, path: Path) -> None:
        """Write the map as one file."""
        np.save(path, self.prediction)

    @classmethod
    def load(cls, path: Path, embedder: Embedder) -> Cascade | None:
        """Open what `save` wrote, memory-mapped; None where nothing was fitted."""
        if not path.exists() or not has_two_views(embedder):
            return None
        return cls(embedder, np.load(path, mmap_mode="r").view(np.ndarray))


class SecondView:
    """Embedder that returns the second view alone."""

    def __init__(self, embedder: TwoViewEmbedder) -> None:
        self._embedder = embedder
        self.name = f"{embedder.name}-second"
        self.dimensions = embedder.views[1]
        self.languages = embedder.second_view_languages

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`; rows have the length 1/√2."""
        return np.stack([self._embedder.second_view(text) for text in texts])


def has_two_views(embedder: Embedder) -> TypeGuard[TwoViewEmbedder]:
    """Tell whether an embedder can compute its second view alone."""
    return len(getattr(embedder, "views", ())) == 2 and hasattr(embedder, "second_view")


def is_sure(prediction: Prediction) -> bool:
    """Tell whether the first view would hardly change the intent."""
    return (
        prediction.label is not None
        and prediction.confidence >= SURE
        and prediction.margin >= LEAD
        and prediction.nearest[0][1] == prediction.best
    )


def stays_calm(mood: SentimentReading, unrest: float, limit: float) -> bool:
    """Tell whether the conversation's running mean of negativity stays below the limit.

    Args:
        mood: Mood by the second view alone; both views may find it `DOUBT` more negative.
        unrest: The mean before this message.
    """
    return running_mean(unrest, min(1.0, mood.negative + DOUBT)) < limit
