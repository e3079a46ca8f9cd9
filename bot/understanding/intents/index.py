"""Intent index: the classifier of messages into entries and dialogue intents.

Fitting is closed-form and takes no training run, so content is live in seconds; confidence is
fitted to the index's own leave-one-out errors. See docs/understanding.md.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Embedder, Vectors, normalise
from bot.understanding.embedding.vector_cache import VectorCache
from bot.understanding.intents import shortlist
from bot.understanding.intents.calibrate import Calibration, calibrate
from bot.understanding.intents.names import NAME_WEIGHT, fits_examples, in_words
from bot.understanding.intents.ridge import (
    BACKGROUND,
    RidgeModel,
    Sums,
    fit_ridge,
    fits_exactly,
    patch_ridge,
    refit_ridge,
)
from bot.understanding.intents.spaces import Space

__all__ = ["OUT_OF_SCOPE", "Example", "IntentIndex", "Prediction", "VectorCache"]

OUT_OF_SCOPE = "out_of_scope"
"""Label of examples that belong to no label: they push every score down around them."""

_RANKED = 10
_NEAREST = 5
_NEAREST_LABELS = 3  # nearest examples are looked for among those of the best labels
_SMALL_CHANGE = 0.05  # share of changed examples up to which a large index is refitted by them
_PATCHED_ROWS = 4_000  # rows from which a fit takes longer than a second
_FEW = 50  # changed examples up to which an index of those rows is patched
_MOST_PATCHES = 20  # then the next index is fitted afresh, so that errors do not add up


@dataclass(frozen=True)
class Example:
    """One training text."""

    text: str
    label: str  # "faq/<entry id>", or a dialogue intent such as "greet"
    language: str  # as in the content files, "hi-Latn" included


@dataclass(frozen=True)
class Prediction:
    """Classification of one message, with everything that led to it."""

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
        space: Space,
        rows: npt.NDArray[np.float16],
        head: RidgeModel,
        calibration: Calibration,
        embedder: Embedder | None,
        patches: int = 0,
    ) -> None:
        """Use `fit` or `load`.

        Args:
            examples: Sorted by label, in the order of `labels`; those out of scope come last.
            rows: The examples in `space`, shape (len(examples), d).
            patches: How often it was refitted by differences since the last full fit.
        """
        self.examples = examples
        self.labels = labels
        self.embedder = embedder
        self._space = space
        self._rows = rows
        self._model = head
        self._calibration = calibration
        self._patches = patches
        counts = np.zeros(len(labels) + 2, np.int64)
        place = {label: i + 1 for i, label in enumerate((*labels, OUT_OF_SCOPE))}
        for example in examples:
            counts[place[example.label]] += 1
        self._starts = np.cumsum(counts)
        self._shortlist = None
        if shortlist.is_worthwhile(head, len(labels)):
            self._shortlist = shortlist.Shortlist(head, self._starts[: len(labels) + 1])

    @property
    def threshold(self) -> float:
        """Return the least confidence at which a prediction is acted on."""
        return self._calibration.threshold

    @classmethod
    def fit(
        cls,
        examples: Sequence[Example],
        vectors: Vectors | None,
        *,
        embedder: Embedder | None = None,
        background: Sequence[str] = (),
        previous: IntentIndex | None = None,
    ) -> IntentIndex:
        """Fit an index to examples.

        Args:
            vectors: Embeddings of the examples, shape (n, dimensions); None to embed them here.
            embedder: Needed when `vectors` is None, when there is background, and for `predict`
                without a vector.
            background: Texts that belong to no label, beside examples labelled `out_of_scope`;
                those that resemble an example as much as examples resemble each other are not used.
            previous: An index of much the same examples and the same embedder; a large index is
                then fitted from the differences, in a second instead of ten.

        Raises:
            ValueError: No examples, or vectors that do not match them.
        """
        if vectors is None:
            vectors = _require(embedder).embed([example.text for example in examples])
        if len(vectors) != len(examples):
            raise ValueError(f"{len(vectors)} vectors for {len(examples)} examples")
        labels = tuple(sorted({example.label for example in examples} - {OUT_OF_SCOPE}))
        if not labels:
            raise ValueError("an intent index needs at least one example of one label")
        place = {label: i for i, label in enumerate((*labels, OUT_OF_SCOPE))}
        newest = {(example.text, example.label): i for i, example in enumerate(examples)}
        order = sorted(newest.values(), key=lambda i: place[examples[i].label])
        sorted_examples = tuple(examples[i] for i in order)
        if previous is not None and not background:
            refitted = previous._refitted(sorted_examples, labels, order, vectors, embedder)
            if refitted is not None:
                return refitted
        label_numbers = np.array([place[example.label] for example in sorted_examples])
        labelled = int((label_numbers < len(labels)).sum())
        label_numbers[labelled:] = BACKGROUND
        vectors = np.asarray(vectors, np.float32)[order]
        space = Space.fit(
            vectors[:labelled],
            getattr(embedder, "views", (vectors.shape[1],))[0],
            readable=_are_readable(sorted_examples[:labelled], embedder),
            reference=getattr(embedder, "reference", None),
        )
        rows = fitted = space.map(vectors)
        if background:
            extra = space.map(_require(embedder).embed(list(background)))
            extra = extra[_are_unlike(extra, rows[:labelled])]
            fitted = np.concatenate([rows, extra])
            label_numbers = np.concatenate([label_numbers, np.full(len(extra), BACKGROUND)])
        hints = _name_hints(labels, space, rows[:labelled], label_numbers[:labelled], embedder)
        head, held_out = fit_ridge(fitted, label_numbers, len(labels), hints)
        calibration = calibrate(held_out, _count_wordings(sorted_examples[:labelled]))
        return cls(
            sorted_examples, labels, space, rows.astype(np.float16), head, calibration, embedder
        )

    def _refitted(
        self,
        examples: tuple[Example, ...],
        labels: tuple[str, ...],
        order: Sequence[int],
        vectors: Vectors,
        embedder: Embedder | None,
    ) -> IntentIndex | None:
        """Fit the index to changed examples by the difference; None when too much differs."""
        exact = self._model.sums is None
        if exact and (
            len(examples) < _PATCHED_ROWS
            or self._patches >= _MOST_PATCHES
            or not fits_exactly(len(examples))
        ):
            return None
        old = {(example.text, example.label): i for i, example in enumerate(self.examples)}
        source = np.array([old.pop((e.text, e.label), -1) for e in examples])
        removed, added = np.array(sorted(old.values()), np.int64), np.flatnonzero(source < 0)
        if len(removed) + len(added) > (_FEW if exact else _SMALL_CHANGE * len(examples)):
            return None
        numbers = {label: i for i, label in enumerate(self.labels)}
        places = {label: i for i, label in enumerate(labels)}
        added_rows = self._space.map(np.asarray(vectors[np.asarray(order)[added]], np.float32))
        rows = self._rows[np.maximum(source, 0)]
        rows[added] = added_rows
        label_numbers = np.array([places.get(example.label, BACKGROUND) for example in examples])
        columns = np.array([numbers.get(label, -1) for label in labels])
        removed_rows = self._rows[removed].astype(np.float32)
        head: RidgeModel | None
        if exact:
            head = patch_ridge(
                self._model, columns, source, removed_rows, rows.astype(np.float32), label_numbers
            )
        else:
            removed_labels = [numbers.get(self.examples[i].label, BACKGROUND) for i in removed]
            head = refit_ridge(
                self._model,
                columns,
                (removed_rows, np.array(removed_labels, np.int64)),
                (added_rows, label_numbers[added]),
                rows,
                label_numbers,
            )
        if head is None:
            return None
        return IntentIndex(
            examples,
            labels,
            self._space,
            rows,
            head,
            self._calibration,
            embedder or self.embedder,
            self._patches + 1,
        )

    def predict(self, text: str, vector: Vectors | None = None) -> Prediction:
        """Classify one message; `vector` is its embedding when the caller has it already."""
        if vector is None:
            vector = _require(self.embedder).embed([text])[0]
        row = self._space.map(vector[None])
        if self._shortlist is not None:
            labels, scores = self._shortlist.scores(row)
        else:
            labels, scores = np.arange(len(self.labels)), self._model.scores(row)[0]
        order = np.argsort(-scores)[:_RANKED]
        top, chances = labels[order], self._chances(scores[order])
        ranking = tuple((self.labels[i], float(c)) for i, c in zip(top, chances, strict=True))
        best, confidence = ranking[0]
        return Prediction(
            label=best if confidence >= self.threshold else None,
            best=best,
            confidence=confidence,
            margin=confidence - (ranking[1][1] if len(ranking) > 1 else 0.0),
            threshold=self.threshold,
            ranking=ranking,
            nearest=self._nearest(normalise(row)[0], top[:_NEAREST_LABELS]),
        )

    def predict_many(self, vectors: Vectors) -> tuple[list[str], Vectors]:
        """Best label and its confidence for many messages, without explanations."""
        best: list[str] = []
        confidences = []
        for start in range(0, len(vectors), 512):
            scores = self._model.scores(self._space.map(vectors[start : start + 512]))
            best.extend(self.labels[i] for i in scores.argmax(axis=1))
            confidences.append(self._calibration.confidence(scores.max(axis=1)))
        return best, np.concatenate(confidences) if confidences else np.zeros(0, np.float32)

    def _chances(self, scores: Vectors) -> Vectors:
        """Return confidences of the ranked labels; those behind the best share what it leaves."""
        chances = self._calibration.confidence(scores)
        rest_sum = chances[1:].sum()
        remaining = 1.0 - chances[0]
        if rest_sum > remaining:
            chances[1:] *= remaining / rest_sum
        return np.minimum(chances, chances[0])

    def _nearest(
        self, row: Vectors, labels: npt.NDArray[np.int64]
    ) -> tuple[tuple[str, str, float], ...]:
        starts = self._starts
        near = np.concatenate([np.arange(starts[label], starts[label + 1]) for label in labels])
        cosines = normalise(self._rows[near].astype(np.float32)) @ row
        best = np.lexsort((-near, -cosines))[:_NEAREST]
        neighbours = ((self.examples[near[i]], float(cosines[i])) for i in best)
        return tuple(
            (example.text, example.label, min(cosine, 1.0)) for example, cosine in neighbours
        )

    def save(self, folder: Path) -> None:
        """Write the index; `index.json` comes last, so a folder that has one is complete."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, npt.NDArray[Any]] = {
            "rows": self._rows,
            "landmarks": self._model.landmarks,
            "weights": self._model.weights,
        }
        if self._model.sums is not None:
            arrays |= {"moments": self._model.sums.moments, "targets": self._model.sums.targets}
        for name, array in arrays.items():
            _replace(folder / f"{name}.npy", partial(np.save, arr=array))
        _replace(folder / "space.npz", self._space.save)
        meta = {
            "examples": [[e.text, e.label, e.language] for e in self.examples],
            "labels": self.labels,
            "calibration": asdict(self._calibration),
            "patches": self._patches,
        }
        text = json.dumps(meta, ensure_ascii=False)
        _replace(folder / "index.json", lambda path: path.write_text(text, encoding="utf-8"))

    @classmethod
    def load(cls, folder: Path, embedder: Embedder | None = None) -> IntentIndex:
        """Open a saved index; arrays stay memory-mapped, shared between processes."""
        meta = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        rows, landmarks, weights = (
            np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)
            for name in ("rows", "landmarks", "weights")
        )
        sums = None
        if (folder / "moments.npy").exists():
            sums = Sums(
                np.load(folder / "moments.npy", mmap_mode="r"),
                np.load(folder / "targets.npy", mmap_mode="r"),
            )
        return cls(
            tuple(Example(*fields) for fields in meta["examples"]),
            tuple(meta["labels"]),
            Space.load(folder / "space.npz"),
            rows,
            RidgeModel(landmarks, weights, sums),
            Calibration(**meta["calibration"]),
            embedder,
            meta["patches"],
        )


def _require(embedder: Embedder | None) -> Embedder:
    if embedder is None:
        raise ValueError("pass vectors: this index has no embedder")
    return embedder


def _count_wordings(examples: Sequence[Example]) -> list[int]:
    """Count each label's examples in its best language; other languages say the same again."""
    counts = Counter((example.label, example.language) for example in examples)
    most: dict[str, int] = {}
    for (label, _), count in counts.items():
        most[label] = max(count, most.get(label, 0))
    return list(most.values())


def _name_hints(
    labels: Sequence[str],
    space: Space,
    rows: Vectors,
    labels_of_rows: npt.NDArray[np.int64],
    embedder: Embedder | None,
) -> tuple[Vectors, npt.NDArray[np.int64], float] | None:
    """Return names of labels as further rows, their labels and weight; None when no name fits."""
    texts = [in_words(label) for label in labels]
    named = np.flatnonzero([bool(text) for text in texts])
    if embedder is None or not len(named) or not fits_exactly(len(rows) + len(named)):
        return None
    names = space.map(embedder.embed([texts[i] for i in named]))
    fit = fits_examples(names, named, rows, labels_of_rows)
    return (names[fit], named[fit], NAME_WEIGHT) if fit.any() else None


def _are_readable(examples: Sequence[Example], embedder: Embedder | None) -> npt.NDArray[np.bool_]:
    """Tell which examples the second view may understand; unknown languages count."""
    languages = getattr(embedder, "second_view_languages", None)
    return np.array(
        [languages is None or not e.language or e.language in languages for e in examples]
    )


def _are_unlike(background: Vectors, rows: Vectors) -> npt.NDArray[np.bool_]:
    """Tell which background rows are farther from every example than half of the examples are."""
    sample = rows[:: max(1, len(rows) // 2000)]
    similarities = sample @ rows.T
    similarities[np.arange(len(sample)), np.arange(0, len(rows), max(1, len(rows) // 2000))] = -1.0
    result: npt.NDArray[np.bool_] = (background @ rows.T).max(axis=1) < np.median(
        similarities.max(axis=1)
    )
    return result


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_name(f"{os.getpid()}.tmp.{path.name}")
    write(temporary)
    temporary.replace(path)
