"""Tokenizer (Unigram, SentencePiece) over a memory-mapped trie.

The HuggingFace tokenizer of this vocabulary takes 320 MB and SentencePiece's own 50 MB in each
process; this one maps 1 MB that all processes share, at 0.1 ms a message.
"""

from __future__ import annotations

import json
from array import array
from pathlib import Path

import marisa_trie
import numpy as np

from bot.understanding.embedding.vocabulary import Vocabulary

_SPACE = "\u2581"
_UNKNOWN_PENALTY = 10.0  # below the worst piece, as in the wheel's engine


class Tokenizer:
    """Cuts text into the token ids of the model, without its begin and end tokens."""

    def __init__(self, folder: Path) -> None:
        self._trie = marisa_trie.Trie()
        self._trie.mmap(str(folder / "pieces.marisa"))
        table = np.load(folder / "pieces.npy", mmap_mode="r")
        # Arrays of the standard library hand out plain numbers several times faster than NumPy's.
        self._ids = array("i", table["id"].tobytes())
        self._scores = array("f", table["score"].tobytes())
        meta = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        self._normal_form = {int(code): form for code, form in meta["normal_form"].items()}
        self._longest: int = meta["longest"]
        self._unknown: int = meta["unknown"]
        self._unknown_score: float = meta["unknown_score"]
        self.begin: int = meta["begin"]
        self.end: int = meta["end"]

    def encode(self, text: str) -> list[int]:
        """Return the most probable token ids (Viterbi); runs of spaces count as one."""
        text = text.translate(self._normal_form)
        while "  " in text:
            text = text.replace("  ", " ")
        if not text.startswith(" "):
            text = " " + text
        text = text.replace(" ", _SPACE)
        size = len(text)
        best = [0.0] + [-1e30] * size
        token = [self._unknown] * (size + 1)
        origin = [0] * (size + 1)
        prefixes = self._trie.iter_prefixes_with_ids
        ids, scores, longest = self._ids, self._scores, self._longest
        for start in range(size):
            score = best[start]
            for prefix, key in prefixes(text[start : start + longest]):
                stop = start + len(prefix)
                candidate = score + scores[key]
                if candidate > best[stop]:
                    best[stop] = candidate
                    token[stop] = ids[key]
                    origin[stop] = start
            if score + self._unknown_score > best[start + 1]:
                best[start + 1] = score + self._unknown_score
                token[start + 1] = self._unknown
                origin[start + 1] = start
        tokens = []
        position = size
        while position > 0:
            tokens.append(token[position])
            position = origin[position]
        return tokens[::-1]


def write_tokenizer(vocabulary: Vocabulary, folder: Path) -> None:
    """Write the files `Tokenizer` opens: pieces.marisa, pieces.npy, tokenizer.json."""
    # Marks such as <s> and <mask> score 0; a customer who types them means the characters.
    scores = vocabulary.scores
    ids = {text: i for i, text in enumerate(vocabulary.pieces) if text and scores[i] < 0}
    trie = marisa_trie.Trie(ids)
    trie.save(str(folder / "pieces.marisa"))
    table = np.zeros(len(ids), dtype=[("id", np.int32), ("score", np.float32)])
    for text, i in ids.items():
        table[trie.key_id(text)] = (i, scores[i])
    np.save(folder / "pieces.npy", table)
    meta = {
        "normal_form": vocabulary.normal_form,
        "longest": max(map(len, ids)),
        "unknown": vocabulary.unknown,
        "unknown_score": float(np.min(scores)) - _UNKNOWN_PENALTY,
        "begin": vocabulary.begin,
        "end": vocabulary.end,
    }
    (folder / "tokenizer.json").write_text(json.dumps(meta), encoding="utf-8")
