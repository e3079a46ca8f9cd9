from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np
import pytest

from bot.understanding.embedding.embedder import Vectors, normalise
from bot.understanding.intents.evaluate import evaluate_intents
from bot.understanding.intents.picture import draw_evaluation

KEYS = {
    "accuracy",
    "in_scope_accuracy",
    "out_of_scope_recall",
    "macro_f1",
    "mcc",
    "ece",
    "threshold",
    "curve",
    "confusions",
}


class Letters:
    """Places a text by its first word; words are far from each other."""

    name = "letters"
    dimensions = 16

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = []
        for text in texts:
            word, *rest = text.split()
            place = np.random.default_rng(sum(map(ord, word))).normal(size=16)
            noise = np.random.default_rng(sum(map(ord, " ".join(rest)))).normal(size=16)
            rows.append(place + 0.2 * noise)
        return normalise(np.array(rows, np.float32))


def rows(words: Sequence[str], count: int, start: int = 0) -> list[tuple[str, str]]:
    return [(f"{word} {'x' * (start + i)}", word) for word in words for i in range(1, count + 1)]


TRAIN = rows(["order", "refund", "size"], 12)
STRANGE = [(f"{word} please", "none") for word in ("poem", "weather", "zebra", "moon", "cat")]


@pytest.fixture
def result() -> dict[str, object]:
    test = rows(["order", "refund", "size"], 6, start=20) + STRANGE
    return evaluate_intents(TRAIN, test, "none", embedder=Letters(), background=[])


def test_gives_what_the_command_promises(result: dict[str, object]) -> None:
    assert set(result) >= KEYS
    assert result["rows"] == 23
    assert result["intents"] == 3


def test_knows_what_it_was_taught_and_refuses_the_rest(result: dict[str, float]) -> None:
    assert result["in_scope_accuracy"] == 1.0
    assert result["out_of_scope_recall"] >= 0.8
    assert result["mcc"] > 0.9
    assert 0.0 <= result["ece"] <= 0.2


def test_figures_add_up(result: dict[str, float]) -> None:
    inside, outside = 18 * result["in_scope_accuracy"], 5 * result["out_of_scope_recall"]
    assert result["accuracy"] == pytest.approx((inside + outside) / 23)


def test_curve_goes_from_all_accepted_to_all_refused(
    result: dict[str, list[dict[str, float]]],
) -> None:
    first, last = result["curve"][0], result["curve"][-1]
    assert first["threshold"] == 0.0
    assert first["out_of_scope_recall"] == 0.0
    assert last["out_of_scope_recall"] == 1.0
    recalls = [point["out_of_scope_recall"] for point in result["curve"]]
    assert recalls == sorted(recalls)


def test_matthews_correlation_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score, matthews_corrcoef

    from bot.understanding.intents.evaluate import _measures

    random = np.random.default_rng(0)
    truth = np.array(["a", "b", "c", "none"])[random.integers(0, 4, 300)]
    guess = np.where(random.uniform(size=300) < 0.6, truth, "a")
    guess = np.where(guess == "none", "b", guess)
    confidence = random.uniform(size=300).astype(np.float32)
    measured = _measures(truth, guess, confidence, truth != "none", 0.3, "none")
    given = np.where(confidence >= 0.3, guess, "none")
    assert measured["mcc"] == pytest.approx(matthews_corrcoef(truth, given))
    assert measured["macro_f1"] == pytest.approx(f1_score(truth, given, average="macro"))


def test_without_out_of_scope_the_best_intent_counts() -> None:
    test = [*rows(["order", "refund"], 4, start=30), ("order wrong", "size")]
    result = evaluate_intents(TRAIN, test, embedder=Letters(), background=[])
    assert result["out_of_scope_recall"] is None
    assert result["accuracy"] == result["best_intent_accuracy"] == pytest.approx(8 / 9)
    assert result["confusions"] == [{"intent": "size", "taken_for": "order", "rows": 1}]


def test_training_rows_out_of_scope_are_background() -> None:
    result = evaluate_intents(
        [*TRAIN, ("poem now", "none")], STRANGE, "none", embedder=Letters(), background=[]
    )
    assert result["intents"] == 3


def test_refuses_empty_files() -> None:
    with pytest.raises(ValueError, match="training rows and test rows"):
        evaluate_intents([], TRAIN, embedder=Letters(), background=[])


def test_picture_is_svg_with_both_parts(result: dict[str, object]) -> None:
    root = ElementTree.fromstring(draw_evaluation(result, "a < b & c"))
    text = " ".join(root.itertext())
    assert "a < b & c" in text
    assert "out of scope, refused" in text
    assert "expected calibration error" in text
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert tags.count("polyline") == 3
    assert "circle" in tags
