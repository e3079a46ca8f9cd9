"""Kernel ridge regression: the closed-form classifier behind the intent index.

Each label's score is a smooth function that is 1 on its examples and 0 on all others, background
text included; it falls to 0 away from every example. So a score says both which label is right and
how near the message is to anything known. Reference: Saunders, Gammerman and Vovk, "Ridge
regression learning algorithm in dual variables" (ICML 1998); leave-one-out in closed form after
Rifkin and Lippert, "Notes on regularized least squares" (MIT 2007); with many rows the functions
are spanned by some of them (Williams and Seeger, "Using the Nyström method", NIPS 2000).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg

from bot.understanding.embedding.embedder import Vectors
from bot.understanding.intents.rows import Rows

Labels = npt.NDArray[np.int64]

BACKGROUND = -1
"""Label of rows that belong to no label; a column of its own, the last, scores them."""

_SHARPNESS = 1.5  # exp(-sharpness * (1 - product)); 1 to 2 measured alike
_FEW_LABELS = 512  # up to which the spelling is folded into one table
_RIDGE = 0.05  # .03 to .1 measured alike
_EXACT_ROWS = 16_000  # cubic time: 1 s for 4,500 rows, half a minute for 15,000
_LANDMARKS = 2_048
_MOST_LANDMARKS = 2_560  # refits add some; beyond this the next one starts afresh
_JITTER, _MOST_JITTER = 1e-3, 1e3
_BATCH = 4_096
_NEAR_ROWS = 300  # of each new landmark; a label has about a hundred
_PATCHED_ROWS = 100  # around each changed one, when a few rows of an exact head change
_CHECKED_ROWS = 800  # left out to learn from; their scores cost as much as the fit itself


@dataclass(frozen=True)
class Sums:
    """Sums a model with landmarks is solved from; rows can be added and subtracted."""

    moments: Vectors  # (m, m): kernel rows of the landmarks times themselves
    targets: Vectors  # (m, labels): kernel rows times targets


@dataclass(frozen=True)
class RidgeModel:
    """Fitted scoring of labels; `scores` is safe to call from several threads."""

    landmarks: Rows  # m of them
    weights: Vectors  # (m, labels + 1), a label's lying together; the background's last
    sums: Sums | None = None  # None: every row is a landmark
    spelled: npt.NDArray[np.float16] | None = None
    """(BUCKETS, labels + 1): what each group of letters adds to each label's score, since spelling
    counts linearly; None without spelling or with very many labels."""

    @classmethod
    def of(cls, landmarks: Rows, weights: Vectors, sums: Sums | None = None) -> RidgeModel:
        """Make a model, with the table of the spelling."""
        spelled = None
        if landmarks.spelling is not None and weights.shape[1] <= _FEW_LABELS:
            spelled = (landmarks.spelling.T @ weights).astype(np.float16)
        return cls(landmarks, weights, sums, spelled)

    def scores(self, rows: Rows) -> Vectors:
        """Score every label and the background, shape (len(rows), labels + 1); about 0 to 1."""
        if self.spelled is None or rows.spelling is None:
            scores: Vectors = self.kernel(rows) @ self.weights
            return scores
        scores = _alike(rows.meaning, self.landmarks.meaning) @ self.weights
        spelling = rows.spelling
        for row in range(len(rows)):
            part = slice(spelling.indptr[row], spelling.indptr[row + 1])
            table = self.spelled[spelling.indices[part]].astype(np.float32)
            scores[row] += spelling.data[part] @ table
        return scores

    def kernel(self, rows: Rows) -> Vectors:
        """Return the similarity of rows and landmarks, shape (len(rows), m)."""
        return _kernel(rows, self.landmarks)


@dataclass(frozen=True)
class HeldOut:
    """Leave-one-out scores of training rows."""

    scores: Vectors  # (k, labels + 1): each row left out alone
    labels: Labels  # (k,), BACKGROUND for background rows


def fits_exactly(rows: int) -> bool:
    """Tell whether so many rows are fitted exactly; hints are used only then."""
    return rows <= _EXACT_ROWS


def fit_ridge(
    rows: Rows,
    labels: Labels,
    count: int,
    hints: tuple[Rows, Labels, float] | None = None,
    row_weights: Vectors | None = None,
) -> tuple[RidgeModel, HeldOut]:
    """Fit scores for `count` labels.

    Args:
        rows: The examples.
        labels: 0 to count-1, or BACKGROUND.
        hints: More rows, their labels, and what one of them weighs beside a row, 0-1; they are
            never left out. Ignored where `fits_exactly` says no.
        row_weights: What each row weighs, 0-1, shape (n,); None for 1. Ignored like hints.
    """
    if fits_exactly(len(rows)):
        return _fit_exactly(rows, labels, count, hints, row_weights)
    order = np.random.default_rng(0).permutation(len(rows))
    landmarks = rows[np.sort(order[:_LANDMARKS])]
    head, factor = _solve(landmarks, _sums(landmarks, rows, labels, count))
    checked = _pick_checked(labels)
    part = _kernel(rows[checked], landmarks)
    leverage = (part * linalg.cho_solve(factor, part.T, check_finite=False).T).sum(axis=1)
    targets = _targets(labels[checked], count)
    left_out = targets - (targets - part @ head.weights) / (1.0 - leverage)[:, None]
    return head, HeldOut(left_out.astype(np.float32), labels[checked])


def refit_ridge(
    model: RidgeModel,
    columns: npt.NDArray[np.int64],
    removed: tuple[Rows, Labels],
    added: tuple[Rows, Labels],
    rows: Rows,
    labels: Labels,
) -> RidgeModel | None:
    """Fit again after some rows changed, in a fraction of the time; None when it needs a fresh fit.

    The sums over unchanged rows are kept; new rows become landmarks, so that a new label is known
    as well as the others. Only for a model with sums.

    Args:
        columns: For each label of the new model, its number in `model`, or -1 when it is new.
        removed: Rows no longer there, with labels as in `model`.
        added: New rows, with labels of the new model.
        rows: All rows there are now, float16 or float32; `labels`: theirs.
    """
    if model.sums is None or len(model.landmarks) + len(added[0]) > _MOST_LANDMARKS:
        return None
    old, count = model.landmarks, len(columns)
    subtracted = _sums(old, *removed, model.weights.shape[1] - 1)
    summed = _sums(old, *added, count)
    targets = _moved(model.sums.targets - subtracted.targets, columns)
    sums = Sums(model.sums.moments - subtracted.moments + summed.moments, targets + summed.targets)
    if not len(added[0]):
        return _solve(old, sums)[0]
    widened = _widen_sums(sums, old, added[0], rows, labels)
    return _solve(Rows.join([old.single(), added[0].single()]), widened)[0]


def patch_ridge(
    model: RidgeModel,
    columns: npt.NDArray[np.int64],
    source: npt.NDArray[np.int64],
    removed: Rows,
    rows: Rows,
    labels: Labels,
    row_weights: Vectors | None = None,
) -> RidgeModel:
    """Fit an exact model again around the rows that changed; leave the other rows' weights.

    One step of block Gauss-Seidel: the equations of new rows, and of those nearest to what came or
    went, are solved anew; those far away hardly change. For a model without sums.

    Args:
        columns: For each label of the new model, its number in `model`, or -1 when it is new.
        source: For each row there is now, its number among the rows `model` was fitted to, or -1.
        removed: Rows no longer there.
        rows: All rows there are now; `labels`: theirs.
    """
    before = len(removed) + int((source >= 0).sum())
    rows = rows.single()
    hints = model.landmarks[before:].single()
    old_weights = _moved(np.asarray(model.weights), columns)
    weights = np.zeros((len(rows) + len(hints), len(columns) + 1), np.float32, order="F")
    weights[: len(rows)][source >= 0] = old_weights[source[source >= 0]]
    weights[len(rows) :] = old_weights[before:]
    landmarks = Rows.join([rows, hints])
    added = np.flatnonzero(source < 0)
    near = _nearest(rows, Rows.join([rows[added], removed.single()]), _PATCHED_ROWS)
    changed = np.union1d(added, near)
    ridge = _ridge(len(rows), row_weights)[changed]
    similarities = _kernel(rows[changed], landmarks)
    missing = (
        _targets(labels[changed], len(columns))
        - similarities @ weights
        - ridge[:, None] * weights[changed]
    )
    system = similarities[:, changed].astype(np.float64)
    system[np.diag_indices_from(system)] += ridge
    weights[changed] += linalg.solve(system, missing, assume_a="pos", check_finite=False)
    return RidgeModel.of(landmarks, weights)


def _ridge(count: int, row_weights: Vectors | None) -> Vectors:
    if row_weights is None:
        return np.full(count, _RIDGE, np.float32)
    return (_RIDGE / row_weights).astype(np.float32)


def _moved(of_labels: Vectors, columns: npt.NDArray[np.int64]) -> Vectors:
    """Put columns of labels in a new order, zeros for new labels; the background stays last."""
    moved = of_labels[:, np.append(np.maximum(columns, 0), of_labels.shape[1] - 1)]
    moved[:, :-1][:, columns < 0] = 0.0
    return moved


def _widen_sums(sums: Sums, old: Rows, new: Rows, rows: Rows, labels: Labels) -> Sums:
    """Return the sums with further landmarks, computed from the rows near them alone.

    What a new landmark says of a row is, away from it, nearly what the old ones can say together.
    So its column is their best imitation of it, but for the rows nearest to it, where it is itself.
    """
    imitation = linalg.cho_solve(
        _factor(_kernel(old, old).astype(np.float64)), _kernel(old, new), check_finite=False
    ).astype(np.float32)
    near = _nearest(rows, new, _NEAR_ROWS)
    near_rows = rows[near].single()
    similarities = _kernel(near_rows, old)
    residual = _kernel(near_rows, new) - similarities @ imitation
    across = sums.moments @ imitation + similarities.T @ residual
    mixed = imitation.T @ (similarities.T @ residual)
    new_moments = imitation.T @ sums.moments @ imitation + mixed + mixed.T + residual.T @ residual
    near_targets = _targets(labels[near], sums.targets.shape[1] - 1)
    return Sums(
        np.block([[sums.moments, across], [across.T, new_moments]]),
        np.concatenate([sums.targets, imitation.T @ sums.targets + residual.T @ near_targets]),
    )


def _nearest(rows: Rows, new: Rows, most: int) -> Labels:
    """Return the numbers of the rows whose meaning is nearest to each of `new`, each row once."""
    count = min(most, len(rows))
    products = np.concatenate(
        [
            rows.meaning[start : start + _BATCH].astype(np.float32) @ new.meaning.T
            for start in range(0, len(rows), _BATCH)
        ]
    )
    return np.unique(np.argpartition(-products, count - 1, axis=0)[:count])


def _targets(labels: Labels, count: int) -> Vectors:
    targets = np.zeros((len(labels), count + 1), np.float32)
    targets[np.arange(len(labels)), np.where(labels == BACKGROUND, count, labels)] = 1.0
    return targets


def _kernel(left: Rows, right: Rows) -> Vectors:
    similarities = _alike(left.meaning, right.meaning)
    if left.spelling is None or right.spelling is None:
        return similarities
    if len(left) == 1:  # a message: turning what it is compared with would cost ten times more
        similarities[0] += right.spelling @ left.spelling.toarray()[0]
    else:
        turned = right.spelling.T.tocsr()
        for start in range(0, len(left), _BATCH):
            part = left.spelling[start : start + _BATCH] @ turned
            similarities[start : start + _BATCH] += part.toarray()
    return similarities


def _alike(left: Vectors, right: Vectors) -> Vectors:
    products = left @ right.T
    products -= 1.0
    products *= _SHARPNESS
    result: Vectors = np.exp(products, out=products)
    return result


def _fit_exactly(
    rows: Rows,
    labels: Labels,
    count: int,
    hints: tuple[Rows, Labels, float] | None,
    row_weights: Vectors | None,
) -> tuple[RidgeModel, HeldOut]:
    checked = _pick_checked(labels)
    ridge = _ridge(len(rows), row_weights)
    if hints is not None:
        hint_rows, hint_labels, weight = hints
        rows, labels = Rows.join([rows, hint_rows]), np.concatenate([labels, hint_labels])
        ridge = np.concatenate([ridge, np.full(len(hint_rows), _RIDGE / weight, np.float32)])
    targets = _targets(labels, count)
    gram = _kernel(rows, rows)
    gram[np.diag_indices_from(gram)] += ridge
    factor = linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    weights = linalg.cho_solve(factor, targets, check_finite=False)
    unit = np.zeros((len(rows), len(checked)), np.float32)
    unit[checked, np.arange(len(checked))] = 1.0
    inverse = linalg.cho_solve(factor, unit, overwrite_b=True, check_finite=False)
    diagonal = inverse[checked, np.arange(len(checked))]
    left_out = targets[checked] - weights[checked] / diagonal[:, None]
    return RidgeModel.of(rows, weights), HeldOut(left_out, labels[checked])


def _sums(landmarks: Rows, rows: Rows, labels: Labels, count: int) -> Sums:
    size = len(landmarks)
    moments = np.zeros((size, size), np.float32, order="F")
    targets = np.zeros((size, count + 1), np.float32)
    for start in range(0, len(rows), _BATCH):
        products = _kernel(rows[start : start + _BATCH], landmarks)
        moments = linalg.blas.ssyrk(
            1.0, products.T, beta=1.0, c=moments, lower=1, overwrite_c=1
        )  # half of the work of a product, and most of the work here
        targets += products.T @ _targets(labels[start : start + _BATCH], count)
    lower = np.tril(moments, -1)
    return Sums(np.ascontiguousarray(lower + lower.T + np.diag(np.diag(moments))), targets)


def _solve(landmarks: Rows, sums: Sums) -> tuple[RidgeModel, tuple[npt.NDArray[np.float64], bool]]:
    system = sums.moments.astype(np.float64) + _RIDGE * _kernel(landmarks, landmarks)
    factor = _factor(system)
    weights = linalg.cho_solve(factor, sums.targets, check_finite=False)
    return RidgeModel.of(landmarks, weights.astype(np.float32), sums), factor


def _factor(system: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], bool]:
    """Factorise; add as much to the diagonal as the rounding of float32 sums asks for."""
    jitter = _JITTER
    while True:
        try:
            lifted = system.copy()
            lifted[np.diag_indices_from(lifted)] += jitter
            return linalg.cho_factor(lifted, lower=True, overwrite_a=True, check_finite=False)
        except linalg.LinAlgError:
            jitter *= 10.0
            if not jitter < _MOST_JITTER:
                raise


def _pick_checked(labels: Labels) -> Labels:
    """Pick the rows to leave out: some of those with a label, some of the background."""
    random = np.random.default_rng(0)
    labelled = random.permutation(np.flatnonzero(labels != BACKGROUND))[:_CHECKED_ROWS]
    background = random.permutation(np.flatnonzero(labels == BACKGROUND))[: _CHECKED_ROWS // 4]
    return np.concatenate([labelled, background])
