import numpy as np

from bot.understanding.intents.calibrate import calibrate
from bot.understanding.intents.ridge import BACKGROUND, HeldOut


def held_out(seed: int = 0, background: bool = True, rows: int = 2000) -> HeldOut:
    """Two labels; the best score is the chance of being right."""
    random = np.random.default_rng(seed)
    best = random.uniform(0.4, 1.0, rows)
    right = random.uniform(size=rows) < best
    scores = np.stack([best, np.full(rows, 0.05)], axis=1)
    labels = np.where(right, 0, 1)
    if background:
        low = np.stack([random.uniform(0, 0.2, 200), np.zeros(200)], axis=1)
        scores, labels = np.concatenate([scores, low]), np.append(labels, [BACKGROUND] * 200)
    return HeldOut(scores.astype(np.float32), labels)


def test_confidence_is_the_share_that_is_right() -> None:
    calibration = calibrate(held_out(), [20, 20])
    random = np.random.default_rng(1)
    best = random.uniform(0.4, 1.0, 20000)
    right = random.uniform(size=20000) < best
    confidence = calibration.confidence(best)
    errors = []
    for low in np.arange(0.0, 1.0, 0.1):
        bin_ = (confidence >= low) & (confidence < low + 0.1)
        if bin_.any():
            errors.append(bin_.mean() * abs(confidence[bin_].mean() - right[bin_].mean()))
    assert sum(errors) < 0.05


def test_threshold_lies_between_background_and_known() -> None:
    calibration = calibrate(held_out(), [20, 20])
    low, high = calibration.confidence([0.3, 0.6])
    assert low < calibration.threshold < high


def test_confidence_rises_with_the_score_even_when_nothing_goes_wrong() -> None:
    scores = np.array([[0.9, 0.1]] * 5, np.float32)
    calibration = calibrate(HeldOut(scores, np.zeros(5, np.int64)), [5])
    confidence = calibration.confidence(np.linspace(0, 1, 11))
    assert (np.diff(confidence) > 0).all()
    assert 0.0 < calibration.threshold < 1.0


def test_many_examples_a_label_lower_the_threshold() -> None:
    few, many = calibrate(held_out(), [20, 20]), calibrate(held_out(), [120, 120])
    assert many.threshold < few.threshold


def test_works_without_background() -> None:
    calibration = calibrate(held_out(background=False), [20, 20])
    assert 0.0 < calibration.threshold < 1.0
