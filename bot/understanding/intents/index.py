"""Intent index: the classifier of messages into entries and dialogue intents.

Fitting is closed-form and takes no training run, so content is live in seconds; confidence is
fitted to the index's own leave-one-out errors. See docs/understanding.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from bot.understanding.embedding.embedder import Embedder, Vectors, normalise
from bot.understanding.intents import shortlist
from bot.understanding.intents.balance import caution, count_wordings, row_weights
from bot.understanding.intents.calibrate import Calibration, calibrate
from bot.understanding.intents.names import name_hints
from bot.understanding.intents.prediction import (
    OUT_OF_SCOPE,
    OWN_QUESTIONS,
    Example,
    Prediction,
)
from bot.understanding.intents.ridge import (
    BACKGROUND,
    RidgeModel,
    Sums,
    fit_ridge,
    fits_exactly,
    patch_ridge,
    refit_ridge,
)
from bot.understanding.intents.rows import Rows, Spelling, arrays_of, rows_of
from bot.understanding.intents.spaces import Space

STRANGE = 0.7
"""Share of the best label's score that out-of-scope text must reach to refuse a message. Among
messages and strangers by writers who had not seen the examples, it refuses three of four strangers
that would be answered, and one in a hundred messages."""

LEAST_SPELLED = 0.05
"""Least score that each half of a message has by its spelling alone where it may be cut."""
_RANKED = 10
_NEAREST = 5
_NEAREST_LABELS = 3  # nearest examples are looked for among those of the best labels
_SMALL_CHANGE = 0.05  # share of changed examples up to which a large index is refitted by them
_PATCHED_ROWS = 4_000  # rows from which a fit takes longer than a second
_FEW = 50  # changed examples up to which an index of those rows is patched
_MOST_PATCHES = 20  # then the next index is fitted afresh, so that errors do not add up


class IntentIndex:
    """Fitted classifier over examples; immutable, safe for concurrent `predict`."""

    def __init__(
        self,
        examples: tuple[Example, ...],
        labels: tuple[str, ...],
        space: Space,
        spelling: Spelling,
        rows: Rows,
        head: RidgeModel,
        calibration: Calibration,
        embedder: Embedder | None,
        patches: int = 0,
    ) -> None:
        """Use `fit` or `load`.

        Args:
            examples: Sorted by label, in the order of `labels`; those out of scope come last.
            rows: The examples in `space`, as `spelling` weighs them.
            patches: How often it was refitted by differences since the last full fit.
        """
        self.examples = examples
        self.labels = labels
        self.embedder = embedder
        self._space = space
        self._spelling = spelling
        self._rows = rows
        self._model = head
        self._calibration = calibration
        self._patches = patches
        # No copy in single precision: 70,000 rows of it would be 70 MB.
        squares = np.einsum("ij,ij->i", rows.meaning, rows.meaning, dtype=np.float32)
        self._lengths = np.maximum(np.sqrt(squares), 1e-9)
        self._caution = caution(examples)
        counts = np.zeros(len(labels) + 2, np.int64)
        place = {label: i + 1 for i, label in enumerate((*labels, OUT_OF_SCOPE))}
        for example in examples:
            counts[place[example.label]] += 1
        self._starts = np.cumsum(counts)
        # The columns of the model that are asked for whatever is best; the last is out of scope.
        self._own = [labels.index(label) for label in OWN_QUESTIONS if label in labels]
        self._own.append(len(labels))
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
        texts = [example.text for example in sorted_examples]
        spelling = Spelling.fit(texts[:labelled], len(labels))
        rows = fitted = Rows(space.map(vectors), spelling.map(texts))
        if background:
            strange = list(background)
            extra = Rows(space.map(_require(embedder).embed(strange)), spelling.map(strange))
            extra = extra[_are_unlike(extra.meaning, rows.meaning[:labelled])]
            fitted = Rows.join([rows, extra])
            label_numbers = np.concatenate([label_numbers, np.full(len(extra), BACKGROUND)])
        hints = name_hints(
            labels, space, spelling, rows.meaning[:labelled], label_numbers[:labelled], embedder
        )
        weights = row_weights(label_numbers, labels)
        head, held_out = fit_ridge(fitted, label_numbers, len(labels), hints, weights)
        calibration = calibrate(held_out, count_wordings(sorted_examples[:labelled]))
        kept = Rows(rows.meaning.astype(np.float16), rows.spelling)
        return cls(sorted_examples, labels, space, spelling, kept, head, calibration, embedder)

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
        added_rows = Rows(
            self._space.map(np.asarray(vectors[np.asarray(order)[added]], np.float32)),
            self._spelling.map([examples[i].text for i in added]),
        )
        # The new rows stand behind the old ones until they are put in their places.
        place = np.where(source >= 0, source, 0)
        place[added] = len(self._rows) + np.arange(len(added))
        rows = Rows.join([self._rows, added_rows])[place]
        rows = Rows(rows.meaning.astype(np.float16), rows.spelling)
        label_numbers = np.array([places.get(example.label, BACKGROUND) for example in examples])
        columns = np.array([numbers.get(label, -1) for label in labels])
        removed_rows = self._rows[removed].single()
        head: RidgeModel | None
        if exact:
            head = patch_ridge(
                self._model,
                columns,
                source,
                removed_rows,
                rows,
                label_numbers,
                row_weights(label_numbers, labels),
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
            self._spelling,
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
        row = Rows(self._space.map(vector[None]), self._spelling.map([text]))
        if self._shortlist is not None:
            labels, scores = self._shortlist.scores(row, self._own)
        else:
            labels, scores = np.arange(len(self.labels) + 1), self._model.scores(row)[0]
        places = {int(label): place for place, label in enumerate(labels)}
        strangeness = float(scores[places[len(self.labels)]])
        order = np.argsort(-scores)
        order = order[labels[order] < len(self.labels)][:_RANKED]
        top, chances = labels[order], self._chances(scores[order])
        ranking = tuple((self.labels[i], float(c)) for i, c in zip(top, chances, strict=True))
        best, confidence = ranking[0]
        own = tuple((self.labels[i], float(scores[places[i]])) for i in self._own[:-1])
        if strangeness > STRANGE * float(scores[order[0]]):
            confidence = 0.0
        return Prediction(
            scores=tuple(map(float, scores[order])),
            own=own,
            caution=self._caution,
            label=best if confidence >= self.threshold else None,
            best=best,
            confidence=confidence,
            margin=max(0.0, confidence - (ranking[1][1] if len(ranking) > 1 else 0.0)),
            threshold=self.threshold,
            ranking=ranking,
            nearest=self._nearest(normalise(row.meaning)[0], top[:_NEAREST_LABELS]),
        )

    def best_cut(self, words: Sequence[str], likely: Sequence[str]) -> tuple[str, ...]:
        """Choose where to cut a message in two by its spelling alone, which costs little.

        Args:
            words: The message's words in order.
            likely: Labels each half may have, those of dialogue among them.

        Returns:
            The halves that are both spelled most like examples of two of these labels; empty when
            there are none.
        """
        table = self._model.spelled
        if len(words) < 2 or table is None:
            return ()
        columns = [self.labels.index(label) for label in likely]
        spelled = self._spelling.map(words)
        letters, where = np.unique(spelled.indices, return_inverse=True)
        spelled = sparse.csr_matrix(
            (spelled.data, where, spelled.indptr), (len(words), len(letters))
        )
        by_word = spelled @ table[letters][:, columns].astype(np.float32)
        left = by_word.cumsum(axis=0)[:-1]
        right = by_word.sum(axis=0) - left
        counts = np.arange(1, len(words), dtype=np.float32)[:, None]
        # As if each half had been mapped as one row of the usual length.
        left, right = left / np.sqrt(counts), right / np.sqrt(counts[::-1])
        both = np.minimum(left.max(axis=1), right.max(axis=1))
        both[left.argmax(axis=1) == right.argmax(axis=1)] = 0.0
        cut = int(both.argmax()) + 1
        if both[cut - 1] <= LEAST_SPELLED:
            return ()
        return " ".join(words[:cut]), " ".join(words[cut:])

    def predict_many(self, texts: Sequence[str], vectors: Vectors) -> tuple[list[str], Vectors]:
        """Best label and its confidence for many messages, 0 where out-of-scope text is as near.

        Args:
            vectors: Embeddings of the texts, shape (len(texts), dimensions).
        """
        best: list[str] = []
        confidences = []
        for start in range(0, len(vectors), 512):
            part = slice(start, start + 512)
            rows = Rows(self._space.map(vectors[part]), self._spelling.map(texts[part]))
            scores = self._model.scores(rows)
            scores, strangeness = scores[:, :-1], scores[:, -1]
            best.extend(self.labels[i] for i in scores.argmax(axis=1))
            confidence = self._calibration.confidence(scores.max(axis=1))
            confidence[strangeness > STRANGE * scores.max(axis=1)] = 0.0
            confidences.append(confidence)
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
        # Where every example is a landmark, a label's examples lie there in single precision.
        meaning = self._rows.meaning if self._model.sums else self._model.landmarks.meaning
        blocks = [meaning[starts[label] : starts[label + 1]] for label in labels]
        products = np.concatenate([np.asarray(block, np.float32) @ row for block in blocks])
        cosines = products / self._lengths[near]
        best = np.lexsort((-near, -cosines))[:_NEAREST]
        neighbours = ((self.examples[near[i]], float(cosines[i])) for i in best)
        return tuple(
            (example.text, example.label, min(cosine, 1.0)) for example, cosine in neighbours
        )

    def save(self, folder: Path) -> None:
        """Write the index; `index.json` comes last, so a folder that has one is complete."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, npt.NDArray[Any]] = {
            **arrays_of("rows", self._rows),
            **arrays_of("landmarks", self._model.landmarks),
            "weights": self._model.weights,
            "rarity": self._spelling.rarity,
        }
        if self._model.spelled is not None:
            arrays["spelled"] = self._model.spelled
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
            "spelling": self._spelling.weight,
            # A process that was killed while saving may have left others.
            "arrays": sorted(arrays),
        }
        text = json.dumps(meta, ensure_ascii=False)
        _replace(folder / "index.json", lambda path: path.write_text(text, encoding="utf-8"))

    @classmethod
    def load(cls, folder: Path, embedder: Embedder | None = None) -> IntentIndex:
        """Open a saved index; arrays stay memory-mapped, shared between processes."""
        meta = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)
            for name in meta["arrays"]
        }
        sums = Sums(arrays["moments"], arrays["targets"]) if "moments" in arrays else None
        model = RidgeModel(
            rows_of("landmarks", arrays), arrays["weights"], sums, arrays.get("spelled")
        )
        return cls(
            tuple(Example(*fields) for fields in meta["examples"]),
            tuple(meta["labels"]),
            Space.load(folder / "space.npz"),
            Spelling(arrays["rarity"], meta["spelling"]),
            rows_of("rows", arrays),
            model,
            Calibration(**meta["calibration"]),
            embedder,
            meta["patches"],
        )


def _require(embedder: Embedder | None) -> Embedder:
    if embedder is None:
        raise ValueError("pass vectors: this index has no embedder")
    return embedder


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
