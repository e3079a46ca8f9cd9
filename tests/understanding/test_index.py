from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bot.understanding.embedding.embedder import Vectors, normalise
from bot.understanding.embedding.vector_cache import VectorCache
from bot.understanding.intents import index as index_module
from bot.understanding.intents import ridge as head_module
from bot.understanding.intents import shortlist
from bot.understanding.intents.index import IntentIndex
from bot.understanding.intents.prediction import OUT_OF_SCOPE, Example

TOPICS = ("order", "refund", "password", "size")


class WordEmbedder:
    """Places a text near the axes of its words; counts how many texts it was asked for."""

    name = "words"
    dimensions = 32

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += len(texts)
        return np.concatenate([np.zeros((0, 32), np.float32), *map(self._one, texts)])

    @staticmethod
    def _one(text: str) -> Vectors:
        row = np.full(32, 0.01, np.float32)
        for word in text.split():
            random = np.random.default_rng(sum(map(ord, word)))
            row += random.normal(size=32).astype(np.float32)
        return normalise(row[None])


def examples() -> list[Example]:
    endings = ("now", "please", "today", "again", "soon", "here", "sir", "quickly")
    rows = [Example(f"{topic} {end}", f"faq/{topic}", "en") for topic in TOPICS for end in endings]
    return [*rows, *(Example(f"poem {end}", OUT_OF_SCOPE, "en") for end in endings)]


@pytest.fixture(params=["all labels", "shortlist"])
def looking_ahead(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with all labels scored, once with those alone that may be best."""
    if request.param == "shortlist":
        monkeypatch.setattr(shortlist, "FROM_LABELS", 2)
        monkeypatch.setattr(shortlist, "MOST_LABELS", 2)


@pytest.fixture(scope="module")
def index() -> IntentIndex:
    return IntentIndex.fit(examples(), None, embedder=WordEmbedder())


@pytest.mark.parametrize("topic", TOPICS)
def test_finds_the_entry_of_a_new_wording(index: IntentIndex, topic: str) -> None:
    prediction = index.predict(f"{topic} thanks")
    assert prediction.label == prediction.best == f"faq/{topic}"
    assert prediction.confidence >= prediction.threshold


@pytest.mark.parametrize("text", ["poem again please", "weather tomorrow", "zebra"])
def test_what_belongs_nowhere_is_not_answered(index: IntentIndex, text: str) -> None:
    prediction = index.predict(text)
    assert prediction.label is None
    assert prediction.confidence < prediction.threshold


def test_out_of_scope_is_never_offered_as_an_answer(index: IntentIndex) -> None:
    assert OUT_OF_SCOPE not in index.labels
    assert OUT_OF_SCOPE not in dict(index.predict("poem now").ranking)


def test_explains_itself(index: IntentIndex) -> None:
    prediction = index.predict("refund now")
    confidences = [confidence for _, confidence in prediction.ranking]
    assert prediction.ranking[0] == (prediction.best, prediction.confidence)
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) <= 1.0 + 1e-6
    assert prediction.margin == pytest.approx(confidences[0] - confidences[1])
    assert prediction.nearest[0] == ("refund now", "faq/refund", pytest.approx(1.0, abs=1e-2))


def test_a_saved_index_answers_alike(index: IntentIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    loaded = IntentIndex.load(tmp_path, WordEmbedder())
    for text in ("order soon", "password zebra", "poem"):
        before, after = index.predict(text), loaded.predict(text)
        assert [label for label, _ in after.ranking] == [label for label, _ in before.ranking]
        assert after.confidence == pytest.approx(before.confidence, abs=1e-4)
        assert after.nearest[0][:2] == before.nearest[0][:2]


def test_what_a_killed_process_left_in_the_folder_is_not_read(
    index: IntentIndex, tmp_path: Path
) -> None:
    (tmp_path / "4711.tmp.rows.npy").write_bytes(b"")
    np.save(tmp_path / "moments.npy", np.zeros((3, 3), np.float32))
    np.save(tmp_path / "targets.npy", np.zeros((3, 2), np.float32))
    index.save(tmp_path)
    loaded = IntentIndex.load(tmp_path, WordEmbedder())
    assert loaded.predict("order soon").ranking == index.predict("order soon").ranking
    assert loaded.predict("order soon").nearest == index.predict("order soon").nearest


@pytest.mark.parametrize(
    ("text", "halves"),
    [
        ("order order refund", ("order order", "refund")),
        ("please password size", ("please password", "size")),
        ("order now order please", ()),
        ("zzz zzz", ()),
        ("order", ()),
    ],
)
def test_a_message_is_cut_where_its_halves_are_spelled_like_two_labels(
    index: IntentIndex, text: str, halves: tuple[str, ...]
) -> None:
    assert index.best_cut(text.split(), index.labels) == halves


def test_many_at_once_are_as_one_by_one(index: IntentIndex) -> None:
    texts = ["order soon", "size please now", "poem"]
    best, confidences = index.predict_many(texts, WordEmbedder().embed(texts))
    singles = [index.predict(text) for text in texts]
    assert best == [single.best for single in singles]
    assert confidences == pytest.approx([single.confidence for single in singles], abs=1e-5)


def test_one_label_alone_works() -> None:
    rows = [Example(f"order {end}", "faq/order", "en") for end in ("now", "soon", "today")]
    index = IntentIndex.fit(rows, None, embedder=WordEmbedder())
    assert index.predict("order please").best == "faq/order"


def test_a_background_text_that_is_an_example_in_other_words_is_not_used() -> None:
    embedder = WordEmbedder()
    rows = [example for example in examples() if example.label != OUT_OF_SCOPE]
    plain = IntentIndex.fit(rows, None, embedder=embedder)
    with_copy = IntentIndex.fit(rows, None, embedder=embedder, background=["order now"])
    assert with_copy.predict("order now").confidence == plain.predict("order now").confidence


@pytest.mark.usefixtures("looking_ahead")
def test_a_large_index_is_refitted_by_what_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(head_module, "_EXACT_ROWS", 100)
    monkeypatch.setattr(head_module, "_LANDMARKS", 150)
    ends = [chr(0x4E00 + i) for i in range(64)]
    rows = [Example(f"{topic} {end}", f"faq/{topic}", "en") for topic in TOPICS for end in ends]
    embedder = WordEmbedder()
    IntentIndex.fit(rows, None, embedder=embedder).save(tmp_path)
    previous = IntentIndex.load(tmp_path, embedder)
    changed = [*rows[1:], *(Example(f"gift {end}", "faq/gift", "en") for end in ends[:8])]
    vectors = embedder.embed([example.text for example in changed])
    index = IntentIndex.fit(changed, vectors, embedder=embedder, previous=previous)
    assert index._space is previous._space  # fitted by the difference
    assert index.predict("gift please").best == "faq/gift"
    assert index.predict("refund please").label == "faq/refund"
    assert index.predict(changed[0].text).nearest[0][0] == changed[0].text
    assert previous.predict("gift please").best != "faq/gift"


@pytest.mark.usefixtures("looking_ahead")
def test_an_exact_index_is_patched_where_it_changed_and_now_and_then_fitted_afresh(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(index_module, "_PATCHED_ROWS", 30)
    monkeypatch.setattr(index_module, "_MOST_PATCHES", 2)
    embedder = WordEmbedder()
    rows = examples()
    index = IntentIndex.fit(rows, None, embedder=embedder)
    spaces = []
    for topic in ("gift", "invoice", "voucher"):
        rows = [*rows[1:], *(Example(f"{topic} {end}", f"faq/{topic}", "en") for end in "abc")]
        vectors = embedder.embed([example.text for example in rows])
        previous = index
        index = IntentIndex.fit(rows, vectors, embedder=embedder, previous=previous)
        spaces.append(index._space is previous._space)
        assert index.predict(f"{topic} a").label == f"faq/{topic}"
        assert index.predict("refund please").label == "faq/refund"
        index.save(tmp_path)
        index = IntentIndex.load(tmp_path, embedder)
    assert spaces == [True, True, False]
    assert index.predict("gift b").label == "faq/gift"


def test_refuses_what_cannot_be_learned() -> None:
    with pytest.raises(ValueError, match="at least one example"):
        IntentIndex.fit([], None, embedder=WordEmbedder())
    with pytest.raises(ValueError, match="2 vectors for 1 examples"):
        IntentIndex.fit([Example("a", "b", "en")], np.zeros((2, 4), np.float32))


def test_cache_embeds_only_what_is_new(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    first = VectorCache(tmp_path, embedder).embed(["order", "refund", "order"])
    assert embedder.asked == 2
    again = VectorCache(tmp_path, embedder).embed(["refund", "size", "order"])
    assert embedder.asked == 3
    assert again[[2, 0]] == pytest.approx(first[:2], abs=1e-3)


def test_cache_survives_a_torn_write(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    VectorCache(tmp_path, embedder).embed(["order", "refund"])
    vectors = next(tmp_path.glob("*.f16"))
    vectors.write_bytes(vectors.read_bytes() + b"\1\2\3")  # vectors written, keys not
    cache = VectorCache(tmp_path, embedder)
    cache.embed(["size"])
    found = VectorCache(tmp_path, embedder).get_many(["size", "order", "unknown"])
    assert set(found) == {"size", "order"}
    assert found["size"] == pytest.approx(WordEmbedder().embed(["size"])[0], abs=1e-3)


def test_cache_sees_what_another_process_added(tmp_path: Path) -> None:
    reader, writer = (VectorCache(tmp_path, WordEmbedder()) for _ in range(2))
    assert reader.get_many(["order"]) == {}
    writer.embed(["order"])
    assert set(reader.get_many(["order"])) == {"order"}


def test_first_fit_reports_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    texts = [f"order {i}" for i in range(300)]
    VectorCache(tmp_path, WordEmbedder()).embed(texts, lambda done, all_: seen.append((done, all_)))
    assert seen == [(256, 300), (300, 300)]


def test_translations_of_an_example_do_not_lower_the_threshold() -> None:
    """Ten languages of the same eight wordings are not eighty wordings."""
    rows = [
        Example(f"{example.text} {language}", example.label, language)
        for example in examples()
        for language in ("en", "hi", "mr", "ml", "th", "es", "ar", "de", "fr", "it")
    ]
    vectors = WordEmbedder().embed([row.text for row in rows])
    told_apart = IntentIndex.fit(rows, vectors)
    unknown = [Example(row.text, row.label, "") for row in rows]
    assert told_apart.threshold > IntentIndex.fit(unknown, vectors).threshold


def test_a_small_pack_is_not_outweighed_by_examples_of_dialogue() -> None:
    """Three entries of three examples beside sixty requests for a person."""
    entries = [
        Example(f"{word} {n}", f"faq/{word}", "en")
        for word in ("fees", "hours", "doctor")
        for n in range(3)
    ]
    requests = [Example(f"person {n} doctor", "ask_human", "en") for n in range(60)]
    embedder = WordEmbedder()
    prediction = IntentIndex.fit([*entries, *requests], None, embedder=embedder).predict("doctor 7")
    assert prediction.best == "faq/doctor"
    assert prediction.caution == 0.2
