"""Space of the intent index: maps the embedder's vectors to the rows it compares.

An embedder may join two models' views (`two_views.py`). The second view is noise for a language it
does not know. Whether it knows a message's language is read from its agreement with the prediction
from the first view, so no language is named here. Where they disagree, the prediction replaces it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Vectors, normalise

_DIMENSIONS = 256  # of 896; as accurate as all of them on BANKING77 and CLINC150, and faster
_RIDGE = 2.0
_DISTRUST, _TRUST = 0.3, 0.5
"""Agreement (cosine) up to which, and from which on, the second view is ignored or believed. Mean
agreement in xSID: .60-.74 for languages it was trained on, .32-.44 for Kazakh, Serbian, Danish."""


@dataclass(frozen=True)
class Space:
    """Fitted mapping of vectors; rows come out with length at most 1, so products are cosines."""

    split: int  # width of the first view; the rest is the second, none when 0 is left
    prediction: Vectors  # (first, second): least-squares map from the first view to the second
    mean: Vectors  # (dimensions,)
    axes: Vectors  # (dimensions, kept): principal directions of the training rows

    @classmethod
    def fit(
        cls,
        vectors: Vectors,
        split: int,
        *,
        readable: npt.NDArray[np.bool_],
        reference: Vectors | None = None,
    ) -> Space:
        """Fit the mapping to training rows.

        Args:
            vectors: Shape (n, dimensions), as the embedder gives them.
            split: Width of the embedder's first view.
            readable: Which rows may be in a language the second view knows. From the others
                nothing can be learned about how it follows from the first: only that one script
                looks like itself.
            reference: More readable rows.
        """
        first, second = _split_views(vectors, split)
        prediction = np.zeros((first.shape[1], second.shape[1]), np.float32)
        if second.shape[1]:
            known_first, known_second = first[readable], second[readable]
            if reference is not None:
                more_first, more_second = _split_views(reference, split)
                known_first = np.concatenate([known_first, more_first])
                known_second = np.concatenate([known_second, more_second])
            gram = known_first.T @ known_first
            gram[np.diag_indices_from(gram)] += _RIDGE
            prediction = np.linalg.solve(gram, known_first.T @ known_second).astype(np.float32)
        whole = cls(split, prediction, np.zeros(0, np.float32), np.zeros((0, 0), np.float32))
        joined = whole._joined(vectors)
        mean = joined.mean(axis=0)
        centred = whole._centred(joined, mean)
        dimensions = min(_DIMENSIONS, *centred.shape)
        _, axes = np.linalg.eigh(centred.T @ centred)
        return cls(split, prediction, mean, np.ascontiguousarray(axes[:, -dimensions:]))

    def map(self, vectors: Vectors) -> Vectors:
        """Map rows of the embedder, shape (n, dimensions), to (n, kept) float32.

        What the axes cannot express is either another language's way to say it, which should not
        count against a message, or another subject, which should: lengths lost to it are made up
        by half (in logarithms).
        """
        rows = self._centred(self._joined(vectors), self.mean) @ self.axes
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        result: Vectors = rows / np.sqrt(np.maximum(lengths, 1e-9))
        return result

    def _joined(self, vectors: Vectors) -> Vectors:
        first, second = _split_views(vectors, self.split)
        if not second.shape[1]:
            return first
        expected = normalise(first @ self.prediction)
        agreement = (expected * second).sum(axis=1, keepdims=True)
        trust = np.clip((agreement - _DISTRUST) / (_TRUST - _DISTRUST), 0.0, 1.0)
        return np.concatenate([first, normalise(trust * second + (1 - trust) * expected)], axis=1)

    def _centred(self, joined: Vectors, mean: Vectors) -> Vectors:
        first, second = _split_views(joined - mean, self.split)
        if not second.shape[1]:
            return first
        share = np.float32(np.sqrt(0.5))
        return np.concatenate([share * first, share * second], axis=1)

    def save(self, path: Path) -> None:
        """Write the mapping as one file."""
        np.savez(path, split=self.split, prediction=self.prediction, mean=self.mean, axes=self.axes)

    @classmethod
    def load(cls, path: Path) -> Space:
        """Read what `save` wrote."""
        with np.load(path) as stored:
            return cls(int(stored["split"]), stored["prediction"], stored["mean"], stored["axes"])


def _split_views(vectors: Vectors, split: int) -> tuple[Vectors, Vectors]:
    """Split rows into their views, each scaled to length 1."""
    return normalise(vectors[:, :split]), normalise(vectors[:, split:])
