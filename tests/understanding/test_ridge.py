import numpy as np
import pytest

from bot.understanding.embedding.embedder import normalise
from bot.understanding.intents import ridge as head_module
from bot.understanding.intents.ridge import BACKGROUND, fit_ridge, patch_ridge, refit_ridge
from bot.understanding.intents.rows import Rows, Spelling


def clusters(labels: int, each: int, seed: int = 0) -> tuple[Rows, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(labels, 16))
    rows = np.repeat(centres, each, axis=0) + 0.5 * random.normal(size=(labels * each, 16))
    return Rows(normalise(rows.astype(np.float32))), np.repeat(np.arange(labels), each)


def test_leaving_out_in_closed_form_is_leaving_out() -> None:
    rows, labels = clusters(4, 10)
    _, held_out = fit_ridge(rows, labels, 4)
    keep = np.arange(len(rows)) != 7
    head, _ = fit_ridge(rows[keep], labels[keep], 4)
    order = np.flatnonzero(held_out.labels == labels[7])
    assert np.abs(held_out.scores[order] - head.scores(rows[7:8])).sum(axis=1).min() < 1e-3


def test_background_lowers_scores_around_it() -> None:
    rows, labels = clusters(5, 10)
    near_first = rows[labels == 0]
    asked = Rows(normalise(near_first.meaning.mean(axis=0, keepdims=True)))
    without, _ = fit_ridge(rows[labels != 0], labels[labels != 0] - 1, 4)
    labels = np.where(labels == 0, BACKGROUND, labels - 1)
    with_background, _ = fit_ridge(rows, labels, 4)
    assert with_background.scores(asked)[:, :-1].max() < without.scores(asked)[:, :-1].max()


def test_many_rows_are_spanned_by_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels = clusters(6, 60)
    exact, _ = fit_ridge(rows, labels, 6)
    monkeypatch.setattr(head_module, "_EXACT_ROWS", 100)
    monkeypatch.setattr(head_module, "_LANDMARKS", 120)
    spanned, held_out = fit_ridge(rows, labels, 6)
    asked, _ = clusters(6, 20, seed=0)
    assert len(spanned.landmarks) == 120
    agree = (spanned.scores(asked).argmax(axis=1) == exact.scores(asked).argmax(axis=1)).mean()
    assert agree > 0.95
    assert (held_out.scores.argmax(axis=1) == held_out.labels).mean() > 0.9


def test_refitting_by_the_difference_is_fitting_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Label 1 goes, label 5 is new, two rows of label 0 change."""
    rows, labels = clusters(6, 60)
    monkeypatch.setattr(head_module, "_EXACT_ROWS", 100)
    monkeypatch.setattr(head_module, "_LANDMARKS", 300)
    old = labels < 5
    head, _ = fit_ridge(rows[old], labels[old], 5)
    changed = np.zeros(len(rows), bool)
    changed[[0, 1]] = True
    gone = changed | (labels == 1)
    names = np.array([0, 2, 3, 4, 5])
    number = np.array([0, -9, 1, 2, 3, 4])
    come_rows = Rows.join([Rows(-rows[changed].meaning), rows[labels == 5]])
    come_labels = np.concatenate([labels[changed], labels[labels == 5]])
    keep = old & ~gone
    all_rows = Rows.join([rows[keep], come_rows])
    all_labels = number[np.concatenate([labels[keep], come_labels])]
    refitted = refit_ridge(
        head,
        np.where(names < 5, names, -1),
        (rows[gone], labels[gone]),
        (come_rows, number[come_labels]),
        all_rows,
        all_labels,
    )
    assert refitted is not None
    sums = head_module._sums(refitted.landmarks, all_rows, all_labels, 5)
    anew, _ = head_module._solve(refitted.landmarks, sums)
    asked = rows[::7]
    assert np.abs(refitted.scores(asked) - anew.scores(asked)).max() < 1e-2


def test_patching_around_what_changed_is_nearly_fitting_anew() -> None:
    """Label 1 goes, label 5 is new, two rows of label 0 change; a hint stays."""
    rows, labels = clusters(6, 60)
    old = labels < 5
    hint_row = Rows(normalise(rows[labels == 2].meaning.mean(axis=0, keepdims=True)))
    hint = (hint_row, np.array([2]), 0.5)
    head, _ = fit_ridge(rows[old], labels[old], 5, hint)
    changed = np.isin(np.arange(len(rows)), [0, 1])
    stays = old & ~changed & (labels != 1)
    number = np.array([0, -9, 1, 2, 3, 4])
    now = Rows.join([rows[stays], Rows(-rows[changed].meaning), rows[labels == 5]])
    of = number[np.concatenate([labels[stays], labels[changed], labels[labels == 5]])]
    source = np.full(len(now), -1)
    source[: stays.sum()] = np.flatnonzero(stays[old])
    columns = np.array([0, 2, 3, 4, -1])
    patched = patch_ridge(head, columns, source, rows[old & ~stays], now, of)
    fresh, _ = fit_ridge(now, of, 5, (hint[0], np.array([1]), 0.5))
    asked, _ = clusters(6, 20, seed=3)
    assert len(patched.landmarks) == len(fresh.landmarks)
    assert np.abs(patched.scores(now) - fresh.scores(now)).max() < 0.1
    agree = patched.scores(asked).argmax(axis=1) == fresh.scores(asked).argmax(axis=1)
    assert agree.mean() > 0.98


def test_one_message_is_compared_by_its_spelling_as_many_are() -> None:
    rows, _ = clusters(3, 4)
    texts = [f"order {i} refund" if i % 2 else f"password size {i}" for i in range(len(rows))]
    spelled = Rows(rows.meaning, Spelling.fit(texts, 3).map(texts))
    head = head_module.RidgeModel(spelled, np.eye(len(rows), dtype=np.float32))
    together = head.kernel(spelled)
    assert (together - head.kernel(rows)).max() > 0.05
    for i in range(len(rows)):
        assert head.kernel(spelled[i : i + 1])[0] == pytest.approx(together[i], abs=1e-5)


def test_a_head_without_landmarks_needs_a_fresh_fit() -> None:
    rows, labels = clusters(2, 5)
    head, _ = fit_ridge(rows, labels, 2)
    change = (rows[:1], labels[:1])
    assert refit_ridge(head, np.array([0, 1]), change, change, rows, labels) is None


def test_sums_that_rounding_made_indefinite_are_solved_all_the_same() -> None:
    corner = np.ones((50, 50)) - 1e-2 * np.eye(50)
    factor = head_module._factor(corner)
    lifted = np.tril(factor[0]) @ np.tril(factor[0]).T
    assert np.abs(lifted - corner).max() < 1.0


def test_a_new_landmark_is_known_by_the_rows_near_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at the nearest rows alone gives nearly the scores that all rows give."""
    monkeypatch.setattr(head_module, "_EXACT_ROWS", 10)
    monkeypatch.setattr(head_module, "_LANDMARKS", 40)
    random = np.random.default_rng(3)
    centres = random.normal(size=(20, 12))
    labels = np.repeat(np.arange(20), 30)
    meaning = (centres[labels] + 0.5 * random.normal(size=(600, 12))).astype(np.float32)
    rows = Rows(normalise(meaning))
    first, _ = fit_ridge(rows[:-3], labels[:-3], 20)
    scores = []
    for near in (60, 600):
        monkeypatch.setattr(head_module, "_NEAR_ROWS", near)
        again = refit_ridge(
            first, np.arange(20), (rows[:0], labels[:0]), (rows[-3:], labels[-3:]), rows, labels
        )
        assert again is not None
        scores.append(again.scores(rows))
    assert np.abs(scores[0] - scores[1]).mean() < 0.02
    assert (scores[0].argmax(axis=1) == scores[1].argmax(axis=1)).mean() > 0.97


def test_spelling_counts_in_the_table_as_in_the_kernel() -> None:
    """The same scores whether letters are looked up or compared with every example."""
    rows, labels = clusters(3, 8)
    words = ["parcel late", "refund please", "new password"]
    texts = [f"{words[label]} {i % 8}" for i, label in enumerate(labels)]
    spelling = Spelling.fit(texts, 3)
    spelled = Rows(rows.meaning, spelling.map(texts))
    model, _ = fit_ridge(spelled, labels, 3)
    asked = Rows(rows.meaning[:2], spelling.map(["my pasword", "refund plz"]))
    assert model.spelled is not None
    by_kernel = model.kernel(asked) @ model.weights
    assert np.abs(model.scores(asked) - by_kernel).max() < 5e-3
    assert model.scores(asked)[0, 2] > fit_ridge(rows, labels, 3)[0].scores(asked)[0, 2]


def test_rows_taken_and_joined_keep_their_spelling() -> None:
    texts = ["parcel late", "refund please", "new password"]
    spelling = Spelling.fit(texts, 3).map(texts)
    rows = Rows(np.eye(3, dtype=np.float32), spelling)
    again = Rows.join([rows[[2]], rows[np.array([0, 1])]])
    assert np.allclose(again.spelling.toarray(), spelling.toarray()[[2, 0, 1]])
    assert np.allclose(again.meaning, np.eye(3)[[2, 0, 1]])


def test_rows_that_weigh_little_are_followed_less() -> None:
    rows, labels = clusters(2, 20)
    plain, _ = fit_ridge(rows, labels, 2)
    light, _ = fit_ridge(rows, labels, 2, None, np.where(labels == 1, 0.05, 1.0))
    asked = rows[labels == 1]
    assert light.scores(asked)[:, 1].mean() < plain.scores(asked)[:, 1].mean() - 0.1
