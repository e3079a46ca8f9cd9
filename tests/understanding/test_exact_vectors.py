"""A text has the same vector on every processor: int8 products are exact wherever this runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exact_graph import write_exact

from bot.understanding.embedding.e5_encoder import E5Encoder, write_e5_files
from bot.understanding.embedding.graph import GraphBuilder, open_graph, quantise_columns
from bot.understanding.embedding.two_views import Encoder
from bot.understanding.embedding.use_encoder import UseEncoder, find_model, write_use_files

NEAR = 0.9999
"""Least cosine to exact products. Where they overflow it is .989 to .997, or .996 to .9995."""

TEXTS = [
    "where is my order?",
    "¿cómo hago una devolución?",
    "मेरा ऑर्डर कहाँ है",
    "ฉันต้องการคืนเงิน",
    "أين طلبي",
    "I would like to change the delivery address of my parcel, it is going to the wrong city",
]


def _write_use(folder: Path) -> None:
    source = find_model()
    assert source is not None
    write_use_files(source, folder)


@pytest.mark.parametrize(
    ("write", "load"), [(write_e5_files, E5Encoder), (_write_use, UseEncoder)], ids=["e5", "use"]
)
def test_vectors_agree_with_exact_products_on_this_machine(
    write: Any, load: Any, tmp_path: Path
) -> None:
    ours, exact = tmp_path / "ours", tmp_path / "exact"
    ours.mkdir()
    write(ours)
    encoder: Encoder = load(ours)
    vectors = [encoder.encode(text) for text in TEXTS]
    shutil.copytree(ours, exact)
    write_exact(ours / "graph.onnx", exact / "graph.onnx")
    reference: Encoder = load(exact)
    cosines = [
        float(vector @ reference.encode(text)) for vector, text in zip(vectors, TEXTS, strict=True)
    ]
    assert min(cosines) > NEAR, dict(zip(TEXTS, cosines, strict=True))


@pytest.mark.parametrize("inputs", [1, 2, 7, 64])
def test_two_neighbouring_weights_never_overflow(inputs: int) -> None:
    """The largest activation is 255, and the sum of two products has 16 bits."""
    draws = np.random.default_rng(inputs)
    heavy = draws.standard_t(2, (inputs, 300))
    for matrix in (heavy, np.abs(heavy), -np.abs(heavy), np.ones((inputs, 300))):
        whole, scale = quantise_columns(matrix.astype(np.float32))
        pairs = np.pad(whole.astype(int), ((0, inputs % 2), (0, 0))).reshape(-1, 2, 300)
        assert (255 * np.maximum(pairs, 0).sum(axis=1)).max(initial=0) <= 32767
        assert (255 * np.minimum(pairs, 0).sum(axis=1)).min(initial=0) >= -32768
        assert np.abs(whole - matrix / scale).max() <= 0.501


def test_a_column_of_zeros_stays_zero() -> None:
    whole, scale = quantise_columns(np.zeros((4, 2), np.float32))
    assert not whole.any()
    assert (scale > 0).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("rows", [1, 5])
def test_the_largest_activations_times_the_largest_weights_are_right(
    rows: int, sign: float, tmp_path: Path
) -> None:
    """All weights at their largest and inputs at 255: the sum that is cut first."""
    build = GraphBuilder()
    out = build.linear("m", "rows", np.full((64, 32), sign, np.float32), None)
    path = tmp_path / "graph.onnx"
    build.save(path, inputs={"rows": [rows, 64]}, outputs={out: [rows, 32]})
    (product,) = open_graph(path).run(None, {"rows": np.ones((rows, 64), np.float32)})
    assert product == pytest.approx(sign * 64.0, rel=0.01)
