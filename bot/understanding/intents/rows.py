"""Rows of the intent index: what a text means, and how it is spelled.

Meaning comes from the embedder. Spelling knows what the embedder hardly reads: chat in Latin
letters, words of the trade, typing mistakes. Texts that share rare groups of letters are alike,
also across an Indic script and Latin letters (`bot/understanding/ngrams.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from bot.understanding.embedding.embedder import Vectors
from bot.understanding.ngrams import BUCKETS, ngram_weights

_COMMON_SHARE, _COMMON = 0.1, 30
"""Groups of letters in more than this share of the examples, and in more than so many, tell
nothing and cost most: leaving them out measured alike and fits three times as fast."""
_WEIGHT, _LEAST_WEIGHT, _MOST_WEIGHT = 1 / 400, 0.1, 0.3
"""Weight of equal spelling, by the number of examples a label. BANKING77 with 5 examples a label
loses a point of accuracy at .25 and gains at .1; the shop, with 130, gains up to .5."""


@dataclass(frozen=True)
class Rows:
    """Texts as the classifier compares them."""

    meaning: Vectors  # (n, d), of length at most 1
    spelling: Any = None  # scipy CSR matrix (n, BUCKETS) of length √weight; None: not compared

    def __len__(self) -> int:
        return len(self.meaning)

    def __getitem__(self, index: Any) -> Rows:
        """Return some of the rows."""
        spelling = None if self.spelling is None else self.spelling[index]
        return Rows(self.meaning[index], spelling)

    def single(self) -> Rows:
        """Return the rows in single precision."""
        return Rows(np.asarray(self.meaning, np.float32), self.spelling)

    @classmethod
    def join(cls, parts: Iterable[Rows]) -> Rows:
        """Put rows one after the other."""
        listed = list(parts)
        spelled = [part.spelling for part in listed if part.spelling is not None]
        spelling = sparse.vstack(spelled, "csr") if len(spelled) == len(listed) else None
        return cls(np.concatenate([part.meaning for part in listed]), spelling)


@dataclass(frozen=True)
class Spelling:
    """How much each group of letters tells in a pack of examples."""

    rarity: npt.NDArray[np.float32]
    """(BUCKETS,): inverse document frequency; 0 where it tells nothing."""
    weight: float
    """What equal spelling counts beside equal meaning."""

    @classmethod
    def fit(cls, texts: Sequence[str], labels: int) -> Spelling:
        """Count the groups of letters in the examples of so many labels."""
        documents = np.zeros(BUCKETS, np.int64)
        for text in texts:
            documents[list(ngram_weights(text))] += 1
        rarity = np.log((1 + len(texts)) / (1 + documents)) + 1
        rarity[documents > max(_COMMON, _COMMON_SHARE * len(texts))] = 0.0
        weight = min(max(len(texts) / max(labels, 1) * _WEIGHT, _LEAST_WEIGHT), _MOST_WEIGHT)
        return cls(rarity.astype(np.float32), weight)

    def map(self, texts: Sequence[str]) -> Any:
        """Weigh the groups of letters of texts: CSR matrix (len(texts), BUCKETS)."""
        counts = [ngram_weights(text) for text in texts]
        sizes = [len(count) for count in counts]
        buckets = np.fromiter((b for count in counts for b in count), np.int32, sum(sizes))
        weights = np.fromiter(
            (w for count in counts for w in count.values()), np.float32, sum(sizes)
        )
        weights *= self.rarity[buckets]
        starts = np.cumsum([0, *sizes])
        squares = np.concatenate([[0.0], np.cumsum(weights.astype(np.float64) ** 2)])
        lengths = np.sqrt((squares[starts[1:]] - squares[starts[:-1]]) / self.weight)
        weights /= np.repeat(np.maximum(lengths, 1e-6), sizes)
        matrix = sparse.csr_matrix(
            (weights.astype(np.float32), buckets, starts), shape=(len(texts), BUCKETS)
        )
        matrix.eliminate_zeros()
        return matrix


def arrays_of(name: str, rows: Rows) -> dict[str, npt.NDArray[Any]]:
    """List the arrays of rows by the names of their files."""
    if rows.spelling is None:
        return {name: rows.meaning}
    return {
        name: rows.meaning,
        f"{name}-letters": rows.spelling.indices,
        f"{name}-letter-weights": rows.spelling.data,
        f"{name}-starts": rows.spelling.indptr,
    }


def rows_of(name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Rows:
    """Return what `arrays_of` listed; nothing is copied."""
    parts = [f"{name}-letter-weights", f"{name}-letters", f"{name}-starts"]
    if parts[0] not in arrays:
        return Rows(arrays[name])
    spelling = sparse.csr_matrix((len(arrays[name]), BUCKETS), dtype=np.float32)
    spelling.data, spelling.indices, spelling.indptr = (arrays[part] for part in parts)
    return Rows(arrays[name], spelling)
