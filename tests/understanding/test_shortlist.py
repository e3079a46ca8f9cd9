"""Looking ahead finds the labels that full scoring would have put first, with the same scores."""

import numpy as np
import pytest

from bot.understanding import head as head_module
from bot.understanding import shortlist
from bot.understanding.embed import normalise
from bot.understanding.head import fit_head
from bot.understanding.shortlist import Shortlist

LABELS, EACH, DIMENSIONS = 600, 4, 48


@pytest.mark.parametrize("exact", [True, False], ids=["every row", "landmarks"])
def test_the_best_labels_and_their_scores_are_the_same(
    exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exact:
        monkeypatch.setattr(head_module, "_EXACT_ROWS", 100)
        monkeypatch.setattr(head_module, "_LANDMARKS", 900)
    chance = np.random.default_rng(7)
    centres = normalise(chance.normal(size=(LABELS, DIMENSIONS)).astype(np.float32))
    labels = np.repeat(np.arange(LABELS), EACH)
    noise = 0.06 * chance.normal(size=(len(labels), DIMENSIONS)).astype(np.float32)
    rows = normalise(centres[labels] + noise)
    head, _ = fit_head(rows, labels, LABELS)
    assert (head.sums is None) == exact
    starts = np.arange(0, len(rows) + 1, EACH)
    ahead = Shortlist(head, rows.astype(np.float16), starts)
    asked = normalise(rows + 0.05 * chance.normal(size=rows.shape).astype(np.float32))
    for row in asked[::8]:
        every = head.scores(row[None])[0]
        some, scores = ahead.scores(row[None])
        assert len(set(some)) == len(some) == shortlist.MOST
        assert scores == pytest.approx(every[some], abs=1e-4)
        assert some[scores.argmax()] == every.argmax()
        assert np.sort(scores)[-2] == pytest.approx(np.sort(every)[-2], abs=0.02)
