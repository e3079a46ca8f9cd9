"""What a Unigram (SentencePiece) model knows, apart from how it is looked up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Vocabulary:
    """Pieces with their scores."""

    pieces: list[str]  # by token id
    scores: npt.NDArray[np.float32]  # log probability by token id; 0 for marks
    normal_form: dict[int, str]  # code point to its replacement
    begin: int  # token ids
    end: int
    unknown: int
