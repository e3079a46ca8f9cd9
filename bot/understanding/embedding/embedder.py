"""The embedder interface, and functions every embedder uses.

The default (`two_views.py`) needs no download: both of its models come inside wheels. Any other
model can stand in by having the three members of `Embedder`. See docs/understanding.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

_PART = 32  # texts embedded by a thread at a time
_MAX_CHARACTERS = 4000  # a Messenger message has at most 2000, a Telegram one 4096


class Embedder(Protocol):
    """Interface of an embedder: texts in, vectors out; safe to call from several threads."""

    name: str  # changes whenever the vectors do: caches are keyed by it
    dimensions: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, any string included (empty, surrogates, very long).

        Returns:
            Shape (len(texts), dimensions), float32, rows L2-normalised and in order.
        """


def embed_many(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Embed many texts on all cores; for fitting and measuring, not while customers wait."""
    parts = [texts[start : start + _PART] for start in range(0, len(texts), _PART)]
    if len(parts) < 2:
        return embedder.embed(texts)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(embedder.embed, parts)))


def clean(text: str) -> str:
    """Remove NUL characters and lone surrogates, which encoders cannot take; cut very long text."""
    return text[:_MAX_CHARACTERS].replace("\0", " ").encode("utf-8", "ignore").decode("utf-8")


def normalise(rows: Vectors) -> Vectors:
    """Scale rows to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    result: Vectors = (rows / np.maximum(lengths, 1e-9)).astype(np.float32)
    return result
