"""Kernel ridge regression: which of many labels a point belongs to, in closed form.

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

Labels = npt.NDArray[np.int64]

BACKGROUND = -1
"""Label of rows that belong to none."""

_SHARPNESS = 1.5  # exp(-sharpness * (1 - product)); 1 to 2 measured alike
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
    """What a head with landmarks is solved from; rows can be added and taken away."""

    moments: Vectors  # (m, m): kernel rows of the landmarks times themselves
    targets: Vectors  # (m, labels): kernel rows times targets


@dataclass(frozen=True)
class Head:
    """Fitted scores; `scores` is safe to call from several threads."""

    landmarks: Vectors  # (m, d)
    weights: Vectors  # (m, labels), a label's lying together
    sums: Sums | None = None  # None: every row is a landmark

    def scores(self, rows: Vectors) -> Vectors:
        """Score every label, shape (len(rows), labels); about 0 to 1."""
        result: Vectors = self.kernel(rows) @ self.weights
        return result

    def kernel(self, rows: Vectors) -> Vectors:
        """How alike rows and landmarks are, shape (len(rows), m)."""
        return _kernel(rows, self.landmarks)


@dataclass(frozen=True)
class HeldOut:
    """What scores would have been for training rows, had they not been training rows."""

    scores: Vectors  # (k, labels): each row left out alone
    labels: Labels  # (k,), BACKGROUND for background rows


def takes_hints(rows: int) -> bool:
    """Whether so many rows are fitted exactly, and hints with them."""
    return rows <= _EXACT_ROWS


def fit_head(
    rows: Vectors,
    labels: Labels,
    count: int,
    hints: tuple[Vectors, Labels, float] | None = None,
) -> tuple[Head, HeldOut]:
    """Fit scores of `count` labels.

    Args:
        rows: Shape (n, d), of length at most 1.
        labels: 0 to count-1, or BACKGROUND.
        hints: More rows, their labels, and what one of them weighs beside a row, 0-1; they are
            never left out. Not read where `takes_hints` says no.
    """
    if takes_hints(len(rows)):
        return _exact(rows, labels, count, hints)
    order = np.random.default_rng(0).permutation(len(rows))
    landmarks = rows[np.sort(order[:_LANDMARKS])]
    head, factor = _solve(landmarks, _sums(landmarks, rows, labels, count))
    checked = _checked(labels)
    part = _kernel(rows[checked], landmarks)
    leverage = (part * linalg.cho_solve(factor, part.T, check_finite=False).T).sum(axis=1)
    targets = _targets(labels[checked], count)
    left_out = targets - (targets - part @ head.weights) / (1.0 - leverage)[:, None]
    return head, HeldOut(left_out.astype(np.float32), labels[checked])


def refit_head(
    head: Head,
    columns: npt.NDArray[np.int64],
    gone: tuple[Vectors, Labels],
    come: tuple[Vectors, Labels],
    rows: Vectors,
    labels: Labels,
) -> Head | None:
    """Fit again after some rows changed, in a part of the time; None when it needs a fresh fit.

    The sums over unchanged rows are kept; new rows become landmarks, so that a new label is known
    as well as the others. Only for a head with sums.

    Args:
        columns: For each label of the new head, its number in `head`, or -1 when it is new.
        gone: Rows no longer there, with labels as in `head`.
        come: New rows, with labels of the new head.
        rows: All rows there are now, float16 or float32; `labels`: theirs.
    """
    if head.sums is None or len(head.landmarks) + len(come[0]) > _MOST_LANDMARKS:
        return None
    old, count = np.asarray(head.landmarks), len(columns)
    less, more = _sums(old, *gone, head.weights.shape[1]), _sums(old, *come, count)
    targets = (head.sums.targets - less.targets)[:, np.maximum(columns, 0)]
    targets[:, columns < 0] = 0.0
    sums = Sums(head.sums.moments - less.moments + more.moments, targets + more.targets)
    if not len(come[0]):
        return _solve(old, sums)[0]
    return _solve(np.concatenate([old, come[0]]), _widened(sums, old, come[0], rows, labels))[0]


def patch_head(
    head: Head,
    columns: npt.NDArray[np.int64],
    source: npt.NDArray[np.int64],
    gone: Vectors,
    rows: Vectors,
    labels: Labels,
) -> Head:
    """Fit an exact head again around the rows that changed, and leave the others' weights.

    One step of block Gauss-Seidel: the equations of new rows, and of those nearest to what came or
    went, are solved anew; those far away hardly change. For a head without sums.

    Args:
        columns: For each label of the new head, its number in `head`, or -1 when it is new.
        source: For each row there is now, its number among the rows `head` was fitted to, or -1.
        gone: Rows no longer there.
        rows: All rows there are now, float32; `labels`: theirs.
    """
    before = len(gone) + int((source >= 0).sum())
    hints = np.asarray(head.landmarks[before:], np.float32)
    old = np.asarray(head.weights)[:, np.maximum(columns, 0)]
    old[:, columns < 0] = 0.0
    weights = np.zeros((len(rows) + len(hints), len(columns)), np.float32, order="F")
    weights[: len(rows)][source >= 0] = old[source[source >= 0]]
    weights[len(rows) :] = old[before:]
    landmarks = np.concatenate([rows, hints])
    come = np.flatnonzero(source < 0)
    near = _nearest(rows, np.concatenate([rows[come], gone]), _PATCHED_ROWS)
    part = np.union1d(come, near)
    seen = _kernel(rows[part], landmarks)
    missing = _targets(labels[part], len(columns)) - seen @ weights - _RIDGE * weights[part]
    system = seen[:, part].astype(np.float64)
    system[np.diag_indices_from(system)] += _RIDGE
    weights[part] += linalg.solve(system, missing, assume_a="pos", check_finite=False)
    return Head(landmarks, weights)


def _widened(sums: Sums, old: Vectors, new: Vectors, rows: Vectors, labels: Labels) -> Sums:
    """Sums with further landmarks, from the rows near them alone.

    What a new landmark says of a row is, away from it, nearly what the old ones can say together.
    So its column is their best imitation of it, but for the rows nearest to it, where it is itself.
    """
    imitation = linalg.cho_solve(
        _factor(_kernel(old, old).astype(np.float64)), _kernel(old, new), check_finite=False
    ).astype(np.float32)
    near = _nearest(rows, new, _NEAR_ROWS)
    there = rows[near].astype(np.float32)
    seen = _kernel(there, old)
    rest = _kernel(there, new) - seen @ imitation
    across = sums.moments @ imitation + seen.T @ rest
    mixed = imitation.T @ (seen.T @ rest)
    own = imitation.T @ sums.moments @ imitation + mixed + mixed.T + rest.T @ rest
    told = _targets(labels[near], sums.targets.shape[1])
    return Sums(
        np.block([[sums.moments, across], [across.T, own]]),
        np.concatenate([sums.targets, imitation.T @ sums.targets + rest.T @ told]),
    )


def _nearest(rows: Vectors, new: Vectors, most: int) -> Labels:
    """The rows nearest to each of some rows, without repetition."""
    count = min(most, len(rows))
    products = np.concatenate(
        [
            rows[start : start + _BATCH].astype(np.float32) @ new.T
            for start in range(0, len(rows), _BATCH)
        ]
    )
    return np.unique(np.argpartition(-products, count - 1, axis=0)[:count])


def _targets(labels: Labels, count: int) -> Vectors:
    targets = np.zeros((len(labels), count), np.float32)
    known = np.flatnonzero(labels != BACKGROUND)
    targets[known, labels[known]] = 1.0
    return targets


def _kernel(left: Vectors, right: Vectors) -> Vectors:
    products = left @ right.T
    products -= 1.0
    products *= _SHARPNESS
    result: Vectors = np.exp(products, out=products)
    return result


def _exact(
    rows: Vectors, labels: Labels, count: int, hints: tuple[Vectors, Labels, float] | None
) -> tuple[Head, HeldOut]:
    checked = _checked(labels)
    ridge = np.full(len(rows), _RIDGE, np.float32)
    if hints is not None:
        more, of, weight = hints
        rows, labels = np.concatenate([rows, more]), np.concatenate([labels, of])
        ridge = np.concatenate([ridge, np.full(len(more), _RIDGE / weight, np.float32)])
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
    return Head(rows, weights), HeldOut(left_out, labels[checked])


def _sums(landmarks: Vectors, rows: Vectors, labels: Labels, count: int) -> Sums:
    size = len(landmarks)
    moments = np.zeros((size, size), np.float32, order="F")
    targets = np.zeros((size, count), np.float32)
    for start in range(0, len(rows), _BATCH):
        part = _kernel(rows[start : start + _BATCH], landmarks)
        moments = linalg.blas.ssyrk(
            1.0, part.T, beta=1.0, c=moments, lower=1, overwrite_c=1
        )  # half of the work of a product, and most of the work here
        targets += part.T @ _targets(labels[start : start + _BATCH], count)
    lower = np.tril(moments, -1)
    return Sums(np.ascontiguousarray(lower + lower.T + np.diag(np.diag(moments))), targets)


def _solve(landmarks: Vectors, sums: Sums) -> tuple[Head, tuple[npt.NDArray[np.float64], bool]]:
    system = sums.moments.astype(np.float64) + _RIDGE * _kernel(landmarks, landmarks)
    factor = _factor(system)
    weights = linalg.cho_solve(factor, sums.targets, check_finite=False)
    return Head(landmarks, weights.astype(np.float32), sums), factor


def _factor(system: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], bool]:
    """Factorise, with as much added to the diagonal as the rounding of float32 sums asks for."""
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


def _checked(labels: Labels) -> Labels:
    """Rows to leave out: some of those with a label, some of the background."""
    random = np.random.default_rng(0)
    known = random.permutation(np.flatnonzero(labels != BACKGROUND))[:_CHECKED_ROWS]
    background = random.permutation(np.flatnonzero(labels == BACKGROUND))[: _CHECKED_ROWS // 4]
    return np.concatenate([known, background])
