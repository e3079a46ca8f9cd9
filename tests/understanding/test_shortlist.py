"""Looking ahead finds the labels that full scoring would have put first, with the same scores."""

import numpy as np
import pytest

from bot.understanding.embedding.embedder import Vectors, normalise
from bot.understanding.intents import ridge as head_module
from bot.understanding.intents import shortlist
from bot.understanding.intents.ridge import RidgeModel, fit_ridge
from bot.understanding.intents.rows import Rows
from bot.understanding.intents.shortlist import Shortlist

LABELS, EACH, DIMENSIONS = 600, 4, 48


def fitted() -> tuple[RidgeModel, Vectors]:
    chance = np.random.default_rng(7)
    centres = normalise(chance.normal(size=(LABELS, DIMENSIONS)).astype(np.float32))
    labels = np.repeat(np.arange(LABELS), EACH)
    # Each label has an example far from its others: whoever looks at centres alone misses it.
    far = normalise(chance.normal(size=(LABELS, DIMENSIONS)).astype(np.float32))
    rows = centres[labels] + 0.06 * chance.normal(size=(len(labels), DIMENSIONS)).astype(np.float32)
    rows[EACH - 1 :: EACH] = far
    return fit_ridge(Rows(normalise(rows)), labels, LABELS)[0], normalise(rows)


def test_the_best_labels_and_their_scores_are_the_same() -> None:
    head, rows = fitted()
    assert shortlist.is_worthwhile(head, LABELS)
    ahead = Shortlist(head, np.arange(0, len(rows) + 1, EACH))
    noise = np.random.default_rng(8).normal(size=rows.shape).astype(np.float32)
    for row in normalise(rows + 0.05 * noise)[::7]:
        every = head.scores(Rows(row[None]))[0]
        some, scores = ahead.scores(Rows(row[None]))
        assert len(set(some)) == len(some) == shortlist.MOST_LABELS
        assert scores == pytest.approx(every[some], abs=1e-4)
        assert some[scores.argmax()] == every.argmax()
        assert np.sort(scores)[-2] == pytest.approx(np.sort(every)[-2], abs=0.02)


def test_where_a_few_rows_stand_for_all_every_label_is_scored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(head_module, "_EXACT_ROWS", 100)
    monkeypatch.setattr(head_module, "_LANDMARKS", 900)
    assert not shortlist.is_worthwhile(fitted()[0], LABELS)
