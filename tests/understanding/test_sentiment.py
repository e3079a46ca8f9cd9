"""Fitting, storing and following the mood, on a toy embedding that knows a few words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bot.settings import Settings
from bot.understanding.embedding.default import load_embedder
from bot.understanding.intents.cascade import SecondView, has_two_views
from bot.understanding.mood import sentiment
from bot.understanding.mood.sentiment import (
    SHIPPED,
    SentimentDataError,
    SentimentModel,
    SentimentReading,
    file_name,
    load_or_fit,
    read_rows,
    running_mean,
)

GOOD = ("great", "lovely", "thanks", "perfect")
BAD = ("awful", "broken", "thieves", "useless")
PLAIN = ("where", "when", "which", "monday")


class WordEmbedder:
    """One direction for each kind of word, so that what is learnt is known beforehand."""

    name = "words"
    dimensions = 3

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.asked.extend(texts)
        counts = [
            [sum(word in text.lower() for word in group) for group in (BAD, PLAIN, GOOD)]
            for text in texts
        ]
        vectors = np.asarray(counts, np.float32) + np.float32(0.01)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _rows() -> list[tuple[str, str]]:
    groups = {"negative": BAD, "neutral": PLAIN, "positive": GOOD}
    return [
        (f"{word} {thing}", label)
        for label, words in groups.items()
        for word in words
        for thing in ("parcel", "shop", "shirt", "app", "room")
    ]


@pytest.fixture(scope="module")
def model() -> SentimentModel:
    rows = _rows()
    return SentimentModel.fit(rows, WordEmbedder().embed([text for text, _ in rows]))


def _read(model: SentimentModel, text: str) -> SentimentReading:
    return model.predict(text, WordEmbedder().embed([text])[0])


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("an awful hotel", "negative"),
        ("which hotel", "neutral"),
        ("a lovely hotel", "positive"),
    ],
)
def test_reads_new_sentences(model: SentimentModel, text: str, label: str) -> None:
    reading = _read(model, text)
    assert reading.label == label
    assert reading.score == pytest.approx(reading.positive - reading.negative)
    assert 0.0 <= reading.negative + reading.positive <= 1.0


@pytest.mark.parametrize("text", ["", " ", "\ud800", "🙂", "e\u0301" * 1000, "!?" * 5000, "١٢٣"])
def test_reads_any_text(model: SentimentModel, text: str) -> None:
    assert 0.0 <= _read(model, text).negative <= 1.0


def test_spelling_alone_can_decide() -> None:
    """Words the embedding does not know are learnt from their letters, variants included."""
    rows = [
        (f"{word} {thing}", label)
        for word, label in (("ghatiya", "negative"), ("kahan", "neutral"), ("badhiya", "positive"))
        for thing in "abcdefgh"
    ]
    blind = np.full((len(rows), 3), 0.5, np.float32)
    model = SentimentModel.fit(rows, blind)
    assert model.predict("ghatia", blind[0]).label == "negative"
    assert model.predict("घटिया", blind[0]).label == "negative"
    assert model.predict("badiya", blind[0]).label == "positive"


def test_a_stored_model_reads_the_same(model: SentimentModel, tmp_path: Path) -> None:
    model.save(tmp_path / "made" / "model.npz")
    again = SentimentModel.load(tmp_path / "made" / "model.npz")
    assert _read(again, "useless app").score == pytest.approx(_read(model, "useless app").score)
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["model.npz"]


def test_many_messages_read_as_one_by_one(model: SentimentModel) -> None:
    texts = ["awful", "great!!!", "when?"]
    together = model.probabilities(texts, WordEmbedder().embed(texts))
    for text, row in zip(texts, together, strict=True):
        assert _read(model, text).negative == pytest.approx(row[0], abs=1e-6)


def test_needs_every_label_and_only_known_ones() -> None:
    rows = [row for row in _rows() if row[1] != "neutral"]
    with pytest.raises(SentimentDataError, match="rows of each"):
        SentimentModel.fit(rows, WordEmbedder().embed([text for text, _ in rows]))
    rows = [*_rows(), ("so so", "mixed")]
    with pytest.raises(SentimentDataError, match="mixed"):
        SentimentModel.fit(rows, WordEmbedder().embed([text for text, _ in rows]))


def _write(folder: Path, rows: Sequence[tuple[str, str]]) -> None:
    (folder / "sentiment").mkdir(parents=True, exist_ok=True)
    lines = ["sentiment\ttext", *(f"{label}\t{text}" for text, label in rows)]
    (folder / "sentiment" / "en.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_fits_once_for_each_content(tmp_path: Path) -> None:
    _write(tmp_path / "data", _rows())
    embedder = WordEmbedder()
    load_or_fit(tmp_path / "state", tmp_path / "data", embedder)
    assert embedder.asked
    embedder.asked.clear()
    load_or_fit(tmp_path / "state", tmp_path / "data", embedder)
    assert not embedder.asked
    _write(tmp_path / "data", [*_rows(), ("thieves everywhere", "negative")])
    load_or_fit(tmp_path / "state", tmp_path / "data", embedder)
    assert "thieves everywhere" in embedder.asked


def test_trains_on_capitals_too(tmp_path: Path) -> None:
    _write(tmp_path / "data", _rows())
    embedder = WordEmbedder()
    load_or_fit(tmp_path / "state", tmp_path / "data", embedder)
    assert any(text.isupper() for text in embedder.asked)


def test_says_where_a_training_file_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SentimentDataError, match="no training files"):
        load_or_fit(tmp_path, tmp_path, WordEmbedder())
    _write(tmp_path, [("fine", "neutral"), ("odd", "angry")])
    with pytest.raises(SentimentDataError, match=r"en\.tsv, line 3"):
        read_rows(tmp_path / "sentiment" / "en.tsv")
    (tmp_path / "sentiment" / "en.tsv").write_text("label\ttext\n", encoding="utf-8")
    with pytest.raises(SentimentDataError, match="columns"):
        read_rows(tmp_path / "sentiment" / "en.tsv")


def test_shipped_files_are_sound() -> None:
    """Every file reads, has all three labels and says nothing twice with two labels."""
    files = sorted((Path(__file__).parents[2] / "data" / "sentiment").glob("*.tsv"))
    assert len(files) >= 15
    for file in files:
        rows = read_rows(file)
        assert {label for _, label in rows} == set(sentiment.LABELS), file.name
        assert len({text for text, _ in rows}) == len(rows), file.name


def _means(*negatives: float) -> list[float]:
    mean, seen = 0.0, []
    for negative in negatives:
        reading = SentimentReading("negative", negative, 0.0, -negative)
        mean = running_mean(mean, reading.negative, decay=0.6)
        seen.append(mean)
    return seen


def test_annoyance_adds_up_and_one_message_does_not() -> None:
    assert _means(0.99)[-1] < 0.5
    assert _means(0.0, 0.0, 0.99)[-1] < 0.5
    assert _means(0.75, 0.75, 0.75)[-1] > 0.5


def test_calm_messages_let_annoyance_fade() -> None:
    means = _means(0.9, 0.9, 0.9, 0.05, 0.05)
    assert means[-1] < means[-2] < means[-3]
    assert means[-1] < 0.5


def test_without_decay_only_the_last_message_counts() -> None:
    assert running_mean(1.0, 0.2, decay=0.0) == 0.2


@pytest.mark.timeout(300)
def test_the_shipped_model_is_the_one_the_shipped_sentences_make(settings: Settings) -> None:
    """When this fails, run `make fitted`: a first start would spend half a minute otherwise."""
    embedder = load_embedder(settings.made_dir)
    assert (SHIPPED / file_name(settings.data_dir, embedder)).exists()
    assert has_two_views(embedder)
    second = SecondView(embedder)
    assert (SHIPPED / file_name(settings.data_dir, second, second.languages)).exists()
