"""Recognition of languages typed in Latin letters though they have a script of their own.

No general detector knows them: each answers `mera order kab aayega` with some European or African
language. So the Latin model of `bot/language/ngrams.py` carries them as languages of their own
(`hi-Latn`), and a text is romanised when the evidence for all of them together leads the best
other language by a margin. The evidence for that other language includes the fast
detector, which is wrong on romanised text but seldom sure.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from bot.language.ngrams import Floats, Model

SUFFIX: Final = "-Latn"

# Weight of the fast detector's log probability against the n-gram score, its floor, and the lead
# (in nats) from which a text counts as romanised. Leads of 2 to 4 find 94 to 93 % of romanised
# messages of this project's other data (intents, sentiment) when trained without them, and let
# 0.3 to 0.1 % of native ones pass for romanised.
_FAST_WEIGHT: Final = 0.7
_FAST_FLOOR: Final = 0.01
_LEAD: Final = 2.5
# Languages the n-gram model lacks are scored by the fast detector alone.
_UNKNOWN: Final = -1.0
# Nobody types these languages with accents on a telephone; names in them may have some.
_ACCENT: Final = 3.0
_MOST_ACCENTS: Final = 3


NOTHING_NAMED: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True)
class Romanised:
    """Result for a Latin text: whether it is romanised, and in which language.

    Attributes:
        probability: That the text is romanised at all, 0.0–1.0.
        ranking: Languages and their share of that case, best first, summing to 1.
    """

    probability: float
    ranking: tuple[tuple[str, float], ...]


def weigh(
    model: Model,
    scores: Floats,
    fast: Floats,
    unknown: float,
    trust: float = 1.0,
    *,
    accents: int = 0,
    named: Mapping[str, float] = NOTHING_NAMED,
) -> Romanised:
    """Weigh a Latin text's romanised languages against all others.

    Args:
        model: The n-gram model of Latin letters.
        scores: Its scores, shape (tags,).
        fast: The fast detector's probability of each of the model's languages, shape (tags,).
        unknown: The fast detector's highest probability of any other language, 0.0–1.0.
        trust: How far to trust the fast detector on a text of this length, 0.0–1.0.
        accents: How many letters of the text have an accent.
        named: What speaks for other languages beside the fast detector, in nats, by tag.
    """
    is_romanised = model.romanised
    romanised_scores = scores[is_romanised]
    top = romanised_scores.max()
    shares = np.exp(romanised_scores - top)
    total = float(shares.sum())
    weight = _FAST_WEIGHT * trust
    other_scores = scores + weight * np.log(np.maximum(fast, _FAST_FLOOR))
    rival = max(
        float(other_scores[~is_romanised].max()),
        _UNKNOWN + weight * math.log(max(unknown, _FAST_FLOOR)),
    )
    for tag, more in named.items():
        place = model.index.get(tag)
        score = (
            _UNKNOWN + weight * math.log(max(unknown, _FAST_FLOOR))
            if place is None
            else float(other_scores[place])
        )
        rival = max(rival, score + more)
    lead = float(top) + math.log(total) - rival - _LEAD
    lead = min(30.0, max(-30.0, lead - _ACCENT * min(accents, _MOST_ACCENTS)))
    probability = 1.0 / (1.0 + math.exp(-lead))
    tags = np.flatnonzero(is_romanised)
    best = np.argsort(-shares, kind="stable")[:5]
    ranking = tuple(
        (model.tags[tags[at]].removesuffix(SUFFIX), float(shares[at]) / total) for at in best
    )
    return Romanised(probability, ranking)
