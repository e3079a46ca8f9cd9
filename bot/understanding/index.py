"""Which entry or dialogue intent a message asks for, and how sure that is.

A closed-form head over sentence embeddings: it fits in milliseconds, so content is live at once,
and it learns from its own leave-one-out errors what it does not know. See docs/understanding.md.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.understanding.embed import Embedder, Vectors

OUT_OF_SCOPE = "out_of_scope"
"""Label of background examples: a class of its own whose win means "none of these"."""


@dataclass(frozen=True)
class Example:
    """One training text."""

    text: str
    label: str  # "faq/<entry id>", or a dialogue intent such as "greet"
    language: str  # as in the content files, "hi-Latn" included


@dataclass(frozen=True)
class Prediction:
    """What a message was taken for, with everything that led to it."""

    label: str | None  # None: out of scope, or not sure enough
    best: str  # the top label whatever its confidence
    confidence: float  # calibrated chance that `best` is right, 0.0-1.0
    margin: float  # confidence of `best` less that of the runner-up
    threshold: float  # confidence `best` had to reach
    ranking: tuple[tuple[str, float], ...]  # labels with confidence, best first, at most 10
    nearest: tuple[tuple[str, str, float], ...]  # closest examples: text, label, cosine


class IntentIndex:
    """Fitted classifier over examples; immutable, safe for concurrent `predict`."""

    def __init__(
        self,
        examples: tuple[Example, ...],
        labels: tuple[str, ...],
        mean: Vectors,
        vectors: npt.NDArray[np.float16],
        weights: Vectors,
        temperature: float,
        threshold: float,
        embedder: Embedder | None,
    ) -> None:
        self.examples = examples
        self.labels = labels
        self._mean = mean
        self._vectors = vectors
        self._weights = weights
        self._temperature = temperature
        self.threshold = threshold
        self.embedder = embedder
        self._of = np.array([labels.index(example.label) for example in examples])

    @classmethod
    def fit(
        cls,
        examples: Sequence[Example],
        vectors: Vectors | None,
        *,
        embedder: Embedder | None = None,
        background: Sequence[str] = (),
    ) -> IntentIndex:
        """Learn from examples.

        Args:
            vectors: Embeddings of the examples, shape (n, dimensions); None to embed them here.
            embedder: Needed when `vectors` is None, when there is background, and for `predict`
                without a vector.
            background: Texts that belong to no label.

        Raises:
            ValueError: No examples, or vectors that do not match them.
        """
        if not examples:
            raise ValueError("an intent index needs at least one example")
        if vectors is None:
            if embedder is None:
                raise ValueError("pass vectors or an embedder")
            vectors = embedder.embed([example.text for example in examples])
        if len(vectors) != len(examples):
            raise ValueError(f"{len(vectors)} vectors for {len(examples)} examples")
        rows = list(examples)
        if background:
            if embedder is None:
                raise ValueError("background texts need an embedder")
            rows += [Example(text, OUT_OF_SCOPE, "") for text in background]
            vectors = np.concatenate([vectors, embedder.embed(list(background))])
        labels = tuple(sorted({row.label for row in rows}))
        order = np.argsort([labels.index(row.label) for row in rows], kind="stable")
        rows = [rows[i] for i in order]
        of = np.array([labels.index(row.label) for row in rows])
        mean = vectors.mean(axis=0)
        centred = _normalise(vectors[order] - mean)
        counts = np.bincount(of, minlength=len(labels)).astype(np.float32)
        share = (1.0 / counts)[of]
        targets = np.zeros((len(rows), len(labels)), np.float32)
        targets[np.arange(len(rows)), of] = 1.0
        gram = (centred * share[:, None]).T @ centred
        gram[np.diag_indices_from(gram)] += 0.02 * len(labels) / 10
        weights = np.linalg.solve(gram, (centred * share[:, None]).T @ targets)
        return cls(
            tuple(rows),
            labels,
            mean.astype(np.float32),
            centred.astype(np.float16),
            weights.astype(np.float32),
            0.08,
            0.4,
            embedder,
        )

    def predict(self, text: str, vector: Vectors | None = None) -> Prediction:
        """Classify one message; `vector` is its embedding when the caller has it already."""
        if vector is None:
            if self.embedder is None:
                raise ValueError("pass a vector: this index has no embedder")
            vector = self.embedder.embed([text])[0]
        query = _normalise((vector - self._mean)[None, :])[0]
        linear = query @ self._weights
        top = np.argsort(-linear)[:10]
        rows = np.flatnonzero(np.isin(self._of, top))
        cosines = self._vectors[rows].astype(np.float32) @ query
        best_cosine = np.array([cosines[self._of[rows] == label].max() for label in top])
        scores = linear[top] + 0.5 * best_cosine
        chances = np.exp((scores - scores.max()) / self._temperature)
        chances *= min(1.0, max(0.0, float(best_cosine.max())) / 0.6) / chances.sum()
        ranked = np.argsort(-chances)
        ranking = tuple((self.labels[top[i]], float(chances[i])) for i in ranked)
        near = np.argsort(-cosines)[:5]
        nearest = tuple(
            (self.examples[rows[i]].text, self.examples[rows[i]].label, float(cosines[i]))
            for i in near
        )
        best, confidence = ranking[0]
        sure = confidence >= self.threshold and best != OUT_OF_SCOPE
        return Prediction(
            best if sure else None,
            best,
            confidence,
            confidence - (ranking[1][1] if len(ranking) > 1 else 0.0),
            self.threshold,
            ranking,
            nearest,
        )

    def save(self, folder: Path) -> None:
        """Write the index; readers that have an older one mapped keep it."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"vectors": self._vectors, "weights": self._weights, "mean": self._mean}
        for name, array in arrays.items():
            _replace(folder / f"{name}.npy", array)
        meta = {
            "examples": [asdict(example) for example in self.examples],
            "labels": self.labels,
            "temperature": self._temperature,
            "threshold": self.threshold,
        }
        temporary = folder / f"index.json.{os.getpid()}"
        temporary.write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")
        temporary.replace(folder / "index.json")

    @classmethod
    def load(cls, folder: Path, embedder: Embedder | None = None) -> IntentIndex:
        """Open a saved index; arrays stay memory-mapped, shared between processes."""
        meta = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r")
            for name in ("vectors", "weights", "mean")
        }
        return cls(
            tuple(Example(**example) for example in meta["examples"]),
            tuple(meta["labels"]),
            arrays["mean"],
            arrays["vectors"],
            arrays["weights"],
            meta["temperature"],
            meta["threshold"],
            embedder,
        )


class VectorCache:
    """Embeddings kept on disk by text, so that a refit embeds only what is new."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self._path = folder / f"vectors-{embedder.name}.npz"
        self._embedder = embedder
        self._known: dict[str, npt.NDArray[np.float16]] = {}
        if self._path.exists():
            with np.load(self._path) as stored:
                self._known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def get_many(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """Vectors of the texts that are known."""
        keys = {text: self._key(text) for text in texts}
        return {
            text: self._known[key].astype(np.float32)
            for text, key in keys.items()
            if key in self._known
        }

    def put_many(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Keep vectors of shape (len(texts), dimensions)."""
        for text, vector in zip(texts, vectors, strict=True):
            self._known[self._key(text)] = vector.astype(np.float16)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp.npz")
        np.savez(temporary, keys=list(self._known), vectors=np.stack(list(self._known.values())))
        temporary.replace(self._path)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of all texts in order, computing and keeping the missing ones."""
        known = self.get_many(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            fresh = self._embedder.embed(missing)
            self.put_many(missing, fresh)
            known.update(zip(missing, fresh, strict=True))
        return np.stack([known[text] for text in texts]).astype(np.float32)

    def _key(self, text: str) -> str:
        return hashlib.sha256(f"{self._embedder.name}\0{text}".encode("utf-8", "replace")).hexdigest()


def _normalise(rows: Vectors) -> Vectors:
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def _replace(path: Path, array: npt.NDArray[np.generic]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp.npy")
    np.save(temporary, array)
    temporary.replace(path)
