"""Calibration: from raw scores to a confidence, and the least confidence to act on.

Both come from the training data alone: leave-one-out scores of the examples say how often the best
label is right, and those of background text how a message without any label scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Vectors
from bot.understanding.intents.ridge import BACKGROUND, HeldOut

_SHARE_FEW, _SHARE_MANY = 0.45, 0.3
"""Threshold as a share of the score a known message usually gets. Before out-of-scope text refused
by itself, half of it lost .017 of Matthews correlation against the best threshold, mean of twelve
kinds of bots cut out of BANKING77, CLINC150, xSID and NLU++ (docs/understanding.md), and rules that
simulate strange messages .023 to .09. Since it does, .45 answers more of the shop's messages at
less than 4 % wrong (lab figures of 2026-11-28: .88 right and .028 wrong at .5, .90 and .036).
Where labels have a hundred examples, known messages score high and refusing one weighs more."""

_FEW, _MANY = 30, 100  # examples per label, between which the share falls
_OUTSIDE_SHARE = 0.03  # weight of background beside examples when confidence is fitted


@dataclass(frozen=True)
class Calibration:
    """Increasing map from the best raw score to a confidence."""

    slope: float
    offset: float
    threshold: float  # least confidence to act on, 0-1

    def confidence(self, score: npt.ArrayLike) -> Vectors:
        """Return the probability that the best label is right."""
        logits = self.slope * np.asarray(score, np.float32) + self.offset
        result: Vectors = 1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))
        return result


def calibrate(held_out: HeldOut, examples_by_label: Sequence[int]) -> Calibration:
    """Fit confidence and threshold; `examples_by_label` counts those in one language."""
    in_scope = held_out.labels != BACKGROUND
    scores = held_out.scores[in_scope, :-1]
    best = scores.max(axis=1)
    right = scores.argmax(axis=1) == held_out.labels[in_scope]
    background = (
        held_out.scores[~in_scope, :-1].max(axis=1)
        if (~in_scope).any()
        else np.zeros(0, np.float32)
    )
    slope, offset = _logistic(best, right, background)
    usual = float(np.median(best[right])) if right.any() else 1.0
    examples_per_label = float(np.mean(examples_by_label))
    share_of_many = float(np.clip((examples_per_label - _FEW) / (_MANY - _FEW), 0.0, 1.0))
    raw = usual * (_SHARE_FEW + (_SHARE_MANY - _SHARE_FEW) * share_of_many)
    plain = Calibration(slope, offset, 0.0)
    return Calibration(slope, offset, float(plain.confidence(raw)))


def _logistic(best: Vectors, right: npt.NDArray[np.bool_], outside: Vectors) -> tuple[float, float]:
    """Fit "the best label is right" by its score: weighted logistic regression, Newton's method."""
    x = np.concatenate([best, outside]).astype(np.float64)
    y = np.concatenate([right, np.zeros(len(outside))])
    share = np.concatenate(
        [
            np.ones(len(best)),
            np.full(len(outside), _OUTSIDE_SHARE * len(best) / max(len(outside), 1)),
        ]
    )
    # A few pseudo-observations keep the curve increasing and finite when nothing goes wrong.
    x = np.concatenate([x, [0.0, 1.0]])
    y = np.concatenate([y, [0.0, 1.0]])
    share = np.concatenate([share, [2.0, 2.0]])
    design = np.stack([x, np.ones_like(x)], axis=1)
    solution = np.array([8.0, -2.0])
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ solution, -30.0, 30.0)))
        gradient = design.T @ (share * (y - chance)) - 1e-3 * solution
        curve = (design * (share * chance * (1 - chance))[:, None]).T @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(curve, gradient)
        solution = solution + np.clip(step, -5.0, 5.0)
        if np.abs(step).max() < 1e-8:
            break
    return max(float(solution[0]), 1e-3), float(solution[1])
