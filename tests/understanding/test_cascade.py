"""The first look: what it settles is what both views say, and what it leaves open it leaves."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bot.content.load import load_folder
from bot.content.models import PERSON_WHEN_NEGATIVE
from bot.settings import Settings
from bot.understanding.embedding.embedder import Embedder, Vectors, normalise
from bot.understanding.intents.cascade import CALM, DOUBT, Cascade, SecondView
from bot.understanding.intents.prediction import Example, Prediction
from bot.understanding.intents.questions import LIKELY, Questions
from bot.understanding.mood.sentiment import SentimentReading, read_rows
from bot.understanding.service import NOTHING_SURE, Glance, Knowledge, Understander

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
SETTINGS = Settings(
    state_dir=REPO / ".samvad", cache_dir=REPO / ".samvad" / "cache", data_dir=REPO / "data"
)
LEAST_AGREEMENT = 0.995
LEAST_SETTLED = 0.4


class TwoMade:
    """An embedder whose first view follows from its second."""

    name = "made"
    dimensions = 12
    views = (8, 4)
    second_view_languages = ("en",)

    def __init__(self) -> None:
        chance = np.random.default_rng(1)
        self._turn = np.linalg.qr(chance.standard_normal((8, 4)))[0].T.astype(np.float32)
        self.reference = self.embed([f"reference {i}" for i in range(60)])

    def second_view(self, text: str) -> Vectors:
        chance = np.random.default_rng(abs(hash(text)) % 2**32)
        row: Vectors = normalise(chance.standard_normal(4).astype(np.float32))
        return row * np.float32(np.sqrt(0.5))

    def embed(self, texts: Sequence[str]) -> Vectors:
        second = np.stack([self.second_view(text) for text in texts])
        return np.concatenate([second @ self._turn, second], axis=1)

    def known(self, text: str) -> Vectors | None:
        return None


class OneMade:
    name = "one"
    dimensions = 4
    views = (4,)

    def embed(self, texts: Sequence[str]) -> Vectors:
        return normalise(np.ones((len(texts), 4), np.float32))


def examples(language: str = "en") -> list[Example]:
    return [Example(f"text {i}", "faq/a", language) for i in range(40)]


def test_first_view_is_told_from_second(tmp_path: Path) -> None:
    embedder = TwoMade()
    made = examples()
    fitted = Cascade.fit(made, embedder.embed([e.text for e in made]), embedder)
    assert fitted is not None
    fitted.save(tmp_path / "cascade.npy")
    loaded = Cascade.load(tmp_path / "cascade.npy", embedder)
    assert loaded is not None
    told, whole = loaded.embed("never seen"), embedder.embed(["never seen"])[0]
    assert np.linalg.norm(told) == pytest.approx(1.0, abs=1e-5)
    assert float(told @ whole) > 0.99


def test_rows_in_languages_the_second_view_cannot_read_teach_nothing() -> None:
    embedder = TwoMade()
    embedder.reference = embedder.reference[:10]
    vectors = embedder.embed([e.text for e in examples()])
    assert Cascade.fit(examples("ml"), vectors, embedder) is None
    assert Cascade.fit(examples("en"), vectors, embedder) is not None


def test_an_embedder_of_one_view_has_no_cascade(tmp_path: Path) -> None:
    embedder: Embedder = OneMade()
    assert Cascade.fit(examples(), embedder.embed(["a"] * 40), embedder) is None
    np.save(tmp_path / "cascade.npy", np.zeros((4, 4), np.float32))
    assert Cascade.load(tmp_path / "cascade.npy", embedder) is None
    assert Cascade.load(tmp_path / "nothing.npy", TwoMade()) is None


@pytest.fixture(scope="module")
def understander() -> Understander:
    return Understander.load(SETTINGS)


@pytest.fixture(scope="module")
def knowledge(understander: Understander) -> Knowledge:
    return understander.learn(load_folder(SETTINGS.data_dir / "faq", SETTINGS.languages))


def test_a_glance_decides_as_both_views_do(
    understander: Understander, knowledge: Knowledge
) -> None:
    with (HERE / "paraphrases.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    readable = set(understander.embedder.second_view_languages)  # type: ignore[attr-defined]
    texts = [row["text"] for row in rows]
    glances = {text: understander.glance(text, knowledge) for text in texts}
    settled = [text for text, glance in glances.items() if glance.reading]
    could = [row["text"] for row in rows if row["lang"] in readable]
    assert len(settled) >= LEAST_SETTLED * len(could)
    different = []
    for text in settled:
        seen, whole = glances[text].reading, understander.read(text, knowledge)
        assert seen
        if (seen.prediction.label, seen.also) != (whole.prediction.label, whole.also):
            different.append(text)
    assert len(different) <= (1 - LEAST_AGREEMENT) * len(texts), different


@pytest.mark.parametrize(
    "text",
    [
        "मेरा ऑर्डर कहाँ है",  # a script the second view cannot read
        "mera order kahan hai bhai",
        "who won the world cup in 1998",
        "you are useless, worst service ever!!!",
        "where is my order " * 40,
        "",
    ],
)
def test_what_a_glance_must_not_settle(
    text: str, understander: Understander, knowledge: Knowledge
) -> None:
    assert understander.glance(text, knowledge).reading is None


def test_a_text_embedded_before_is_read_at_once(
    understander: Understander, knowledge: Knowledge
) -> None:
    text = "मेरा पार्सल अब तक नहीं आया"
    assert understander.glance(text, knowledge).reading is None
    whole = understander.read(text, knowledge)
    assert understander.glance(text, knowledge).reading == whole


def test_a_known_text_that_may_be_two_questions_is_cut_by_no_glance(
    understander: Understander, knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "എന്റെ ഓർഡർ എവിടെ, റീഫണ്ട് എപ്പോൾ"
    whole = understander.read(text, knowledge)
    assert whole.also
    with monkeypatch.context() as patch:
        patch.setattr(Questions, "_predict_part", lambda *_, **__: pytest.fail("cut"))
        glance = understander.glance(text, knowledge)
    assert (glance.reading, glance.mood) == (None, whole.sentiment)
    assert understander.read(text, knowledge, glance) == whole


def test_a_glance_finds_two_questions(understander: Understander, knowledge: Knowledge) -> None:
    text = "where is my order? and what are your opening hours?"
    whole = understander.read(text, knowledge)
    assert whole.also
    text = "hello, where is my order? and what are your opening hours?"
    glance = understander.glance(text, knowledge)
    seen = glance.reading or understander.read(text, knowledge, glance)
    assert (seen.entry, seen.also) == (whole.entry, whole.also)


def test_a_message_that_may_need_a_person_is_read_by_both_views(
    understander: Understander, knowledge: Knowledge
) -> None:
    complaint = next(e for e in knowledge.content.entries if e.policy == PERSON_WHEN_NEGATIVE)
    texts = complaint.examples["en"]
    glances = [understander.glance(text, knowledge).reading for text in texts]
    assert all(reading.sentiment.negative <= CALM for reading in glances if reading)
    assert sum(reading is None for reading in glances) > len(texts) / 2


def test_a_second_matter_that_may_need_a_person_is_read_by_both_views(
    understander: Understander, knowledge: Knowledge
) -> None:
    """Its first matter is sure and goes to nobody; the mood of one view must not decide alone."""
    text = "delivery man was rude where can I complain"
    assert understander.glance(text, knowledge) == NOTHING_SURE
    assert knowledge.cascade
    seen = knowledge.index.predict(text, knowledge.cascade.embed(text))
    needing = {f"faq/{e.id}" for e in knowledge.content.entries if e.policy == PERSON_WHEN_NEGATIVE}
    assert seen.best not in needing
    assert needing & set(seen.labels[:LIKELY])


def test_a_doubtful_mood_is_looked_at_again_where_it_may_tip_the_conversation(
    understander: Understander, knowledge: Knowledge
) -> None:
    text = "how many days until my refund is on my card"
    calm = understander.glance(text, knowledge)
    assert calm.reading
    assert calm.reading.sentiment.negative < 0.5
    assert understander.glance(text, knowledge, unrest=0.9).reading is None


def test_the_mood_of_a_glance_is_much_that_of_both_views(understander: Understander) -> None:
    texts = [text for text, _ in read_rows(SETTINGS.data_dir / "sentiment" / "en.tsv")[::7]]
    second = SecondView(understander.embedder)  # type: ignore[arg-type]
    assert understander.quick_sentiment
    quick = understander.quick_sentiment.probabilities(texts, second.embed(texts))
    both = understander.sentiment.probabilities(texts, understander.embedder.embed(texts))
    assert float((quick.argmax(axis=1) == both.argmax(axis=1)).mean()) > 0.85
    assert float((both[:, 0] > quick[:, 0] + DOUBT).mean()) < 0.1


def test_what_a_glance_settles_is_not_read_again(
    understander: Understander, knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Prediction("faq/refund-time", "faq/refund-time", 0.95, 0.9, 0.4, (), ())
    mood = SentimentReading("neutral", 0.1, 0.1, 0.0)
    monkeypatch.setattr(type(understander.embedder), "embed", lambda *_: pytest.fail("embedded"))
    reading = understander.read("when is my refund due", knowledge, Glance(None, whole, mood))
    assert (reading.prediction, reading.sentiment) == (whole, mood)
