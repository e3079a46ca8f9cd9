"""Kernel ridge regression: which of many labels a point belongs to, in closed form.

Each label's score is a smooth function that is 1 on its examples and 0 on all others, background
text included; it falls to 0 away from every example. So a score says both which label is right and
how near the message is to anything known. Reference: Saunders, Gammerman and Vovk, "Ridge
regression learning algorithm in dual variables" (ICML 1998); leave-one-out in closed form after
Rifkin and Lippert, "Notes on regularized least squares" (MIT 2007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg  # type: ignore[import-untyped]

from bot.understanding.embed import Vectors

Labels = npt.NDArray[np.int64]

BACKGROUND = -1
"""Label of rows that belong to none."""

_SHARPNESS = 1.5  # exp(-sharpness * (1 - cosine)); 1 to 3 measured alike
_RIDGE = 0.1
_EXACT_ROWS = 16_000  # cubic time: 1 s for 5,000 rows, half a minute for 15,000
_LANDMARKS = 2_048  # beyond that, scores are spanned by so many rows (Nyström)
_CHECKED_ROWS = 800


@dataclass(frozen=True)
class Head:
    """Fitted scores; `scores` is safe to call from several threads."""

    landmarks: Vectors  # (m, d)
    weights: Vectors  # (m, labels)

    def scores(self, rows: Vectors) -> Vectors:
        """Score every label, shape (len(rows), labels); about 0 to 1."""
        result: Vectors = _kernel(rows, self.landmarks) @ self.weights
        return result


@dataclass(frozen=True)
class HeldOut:
    """What scores would have been for training rows, had they not been training rows."""

    scores: Vectors  # (k, labels): each row left out alone
    labels: Labels  # (k,), BACKGROUND for background rows
    strange: Vectors  # (j,): best score of rows whose whole label was left out


def fit_head(rows: Vectors, labels: Labels, count: int) -> tuple[Head, HeldOut]:
    """Fit scores of `count` labels.

    Args:
        rows: Shape (n, d), of length at most 1.
        labels: 0 to count-1, or BACKGROUND.
    """
    targets = np.zeros((len(rows), count), np.float32)
    known = labels != BACKGROUND
    targets[np.flatnonzero(known), labels[known]] = 1.0
    if len(rows) <= _EXACT_ROWS:
        return _exact(rows, labels, targets)
    return _spanned(rows, labels, targets)


def _kernel(left: Vectors, right: Vectors) -> Vectors:
    products = left @ right.T
    products -= 1.0
    products *= _SHARPNESS
    result: Vectors = np.exp(products, out=products)
    return result


def _exact(rows: Vectors, labels: Labels, targets: Vectors) -> tuple[Head, HeldOut]:
    gram = _kernel(rows, rows)
    gram[np.diag_indices_from(gram)] += _RIDGE
    factor = linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    weights = linalg.cho_solve(factor, targets, check_finite=False)
    checked = _checked(labels)
    unit = np.zeros((len(rows), len(checked)), np.float32)
    unit[checked, np.arange(len(checked))] = 1.0
    inverse = linalg.cho_solve(factor, unit, overwrite_b=True, check_finite=False)[checked]
    left_out = targets[checked] - weights[checked] / np.diag(inverse)[:, None]

    def without(group: npt.NDArray[np.int64]) -> Vectors:
        block = inverse[np.ix_(group, group)]
        solved: Vectors = linalg.solve(block, weights[checked[group]], assume_a="pos")
        return targets[checked[group]] - solved

    return Head(rows, weights), _held_out(left_out, labels[checked], without)


def _spanned(rows: Vectors, labels: Labels, targets: Vectors) -> tuple[Head, HeldOut]:
    order = np.random.default_rng(0).permutation(len(rows))
    landmarks = rows[np.sort(order[:_LANDMARKS])]
    gram = _kernel(landmarks, landmarks)
    gram[np.diag_indices_from(gram)] += 1e-3
    factor = linalg.cholesky(gram.astype(np.float64), lower=True)
    whiten = linalg.solve_triangular(factor, np.eye(len(landmarks)), lower=True).T
    whiten = whiten.astype(np.float32)
    moments = np.zeros_like(gram)
    crossed = np.zeros((len(landmarks), targets.shape[1]), np.float32)
    for start in range(0, len(rows), 4096):
        part = _kernel(rows[start : start + 4096], landmarks) @ whiten
        moments += part.T @ part
        crossed += part.T @ targets[start : start + 4096]
    moments[np.diag_indices_from(moments)] += _RIDGE
    solved = linalg.cho_factor(moments, lower=True)
    inner = linalg.cho_solve(solved, crossed)
    checked = _checked(labels)
    part = _kernel(rows[checked], landmarks) @ whiten
    leverage = part @ linalg.cho_solve(solved, part.T)
    residual = targets[checked] - part @ inner
    left_out = targets[checked] - residual / (1.0 - np.diag(leverage))[:, None]

    def without(group: npt.NDArray[np.int64]) -> Vectors:
        block = np.eye(len(group), dtype=np.float32) - leverage[np.ix_(group, group)]
        solved: Vectors = np.linalg.solve(block, residual[group])
        return targets[checked[group]] - solved

    head = Head(landmarks, (whiten @ inner).astype(np.float32))
    return head, _held_out(left_out, labels[checked], without)


def _checked(labels: Labels) -> npt.NDArray[np.int64]:
    """Rows to leave out: whole labels at random up to a limit, and all background up to it."""
    random = np.random.default_rng(0)
    chosen: list[npt.NDArray[np.int64]] = []
    room = _CHECKED_ROWS
    for label in random.permutation(np.unique(labels[labels != BACKGROUND])):
        group = np.flatnonzero(labels == label)
        if len(group) <= room or not chosen:
            chosen.append(group)
            room -= len(group)
    background = np.flatnonzero(labels == BACKGROUND)
    chosen.append(random.permutation(background)[: _CHECKED_ROWS // 3])
    return np.concatenate(chosen)


def _held_out(
    scores: Vectors, labels: Labels, without: Callable[[npt.NDArray[np.int64]], Vectors]
) -> HeldOut:
    strange = []
    for label in np.unique(labels[labels != BACKGROUND]):
        group = np.flatnonzero(labels == label)
        rest = without(group)
        rest[:, label] = -np.inf
        if rest.shape[1] > 1:
            strange.append(rest.max(axis=1))
    best = np.concatenate(strange) if strange else np.zeros(0, np.float32)
    return HeldOut(scores.astype(np.float32), labels, best.astype(np.float32))
