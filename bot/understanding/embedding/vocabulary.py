"""The vocabulary of a Unigram (SentencePiece) model, apart from how it is looked up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Vocabulary:
    """Token pieces with their scores, and the ids of special tokens."""

    pieces: list[str]  # by token id
    scores: npt.NDArray[np.float32]  # log probability by token id; 0 for special tokens
    normal_form: dict[int, str]  # code point to its replacement
    begin: int  # token ids
    end: int
    unknown: int
