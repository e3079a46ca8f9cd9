"""On-disk cache of embeddings by text, so that a refit embeds only new texts."""

from __future__ import annotations

import fcntl
import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.understanding.embedding.embedder import Embedder, Vectors, embed_many

_KEY_BYTES = 16
_BATCH = 256


class VectorCache:
    """Cache in two append-only files per embedder: keys (hash of the text) and float16 vectors.

    Several processes may read and write; a crash in the middle of a write loses that write only,
    since readers trust no more vectors than there are keys and keys are written last.
    """

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        stem = re.sub(r"[^\w.-]", "_", embedder.name)
        self._embedder = embedder
        self._keys = folder / f"{stem}.keys"
        self._vectors = folder / f"{stem}.f16"
        self._rows: dict[bytes, int] = {}
        self._keys_read = 0

    def get_many(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """Return the cached vectors of these texts, float32."""
        rows = {text: row for text in texts if (row := self._row(text)) is not None}
        if not rows:
            return {}
        stored = self._stored()[sorted(rows.values())].astype(np.float32)
        place = {row: i for i, row in enumerate(sorted(rows.values()))}
        return {text: stored[place[row]] for text, row in rows.items()}

    def put_many(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Store vectors, shape (len(texts), dimensions); cached texts are left as they are."""
        width = self._embedder.dimensions * 2
        with self._keys.open("ab") as keys:
            fcntl.flock(keys, fcntl.LOCK_EX)
            self._refresh()
            added = {
                key: vector
                for text, vector in zip(texts, vectors, strict=True)
                if (key := _key(text)) not in self._rows
            }
            if not added:
                return
            stored_count = self._keys.stat().st_size // _KEY_BYTES
            keys.truncate(stored_count * _KEY_BYTES)
            with self._vectors.open("ab") as file:
                file.truncate(stored_count * width)
                file.write(np.stack(list(added.values())).astype(np.float16).tobytes())
            keys.write(b"".join(added))
        self._refresh()

    def embed(
        self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None
    ) -> Vectors:
        """Return the vectors of all texts in order; embed and store the missing ones.

        Args:
            progress: Called with (done, all) of the missing texts, from time to time.
        """
        self._refresh()
        keys = [_key(text) for text in texts]
        text_by_key = dict(zip(keys, texts, strict=True))
        missing = [text for key, text in text_by_key.items() if key not in self._rows]
        for start in range(0, len(missing), _BATCH):
            part = missing[start : start + _BATCH]
            self.put_many(part, embed_many(self._embedder, part))
            if progress is not None:
                progress(start + len(part), len(missing))
        if not texts:
            return np.zeros((0, self._embedder.dimensions), np.float32)
        rows = np.array([self._rows[key] for key in keys])
        result: Vectors = self._stored()[rows].astype(np.float32)
        return result

    def _row(self, text: str) -> int | None:
        row = self._rows.get(_key(text))
        if row is None and self._refresh():
            row = self._rows.get(_key(text))
        return row

    def _refresh(self) -> bool:
        """Read the keys appended since the last call; True when there were any."""
        if not self._keys.exists():
            return False
        with self._keys.open("rb") as file:
            file.seek(self._keys_read * _KEY_BYTES)
            data = file.read()
        count = len(data) // _KEY_BYTES
        for i in range(count):
            key = data[i * _KEY_BYTES : (i + 1) * _KEY_BYTES]
            self._rows.setdefault(key, self._keys_read + i)
        self._keys_read += count
        return count > 0

    def _stored(self) -> npt.NDArray[np.float16]:
        shape = (self._keys_read, self._embedder.dimensions)
        return np.memmap(self._vectors, np.float16, "r", shape=shape)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_KEY_BYTES]
