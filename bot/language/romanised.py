"""Recognise languages typed in Latin letters though they have a script of their own.

No general detector knows them: each answers `mera order kab aayega` with some European or African
language. So the Latin model of `bot/language/ngrams.py` carries them as languages of their own
(`hi-Latn`), and a text is romanised when the evidence for all of them together leads the best
other language by a margin. What that language has to say for itself counts the fast detector too:
on romanised text it is wrong but seldom sure.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.language.ngrams import Floats

SUFFIX: Final = "-Latn"

# Weight of the fast detector's log probability against the n-gram score, its floor, and the lead
# (in nats) from which a text counts as romanised: chosen in cross-validation on the training
# sentences, where 1 % of other languages' phrases pass for romanised and 94 % of romanised ones
# (25 letters each on average) are found. Longer messages do better on both sides.
_FAST_WEIGHT: Final = 0.7
_FAST_FLOOR: Final = 0.01
_LEAD: Final = 3.0
# Languages the n-gram model lacks have only the fast detector to speak for them.
_UNKNOWN: Final = -1.0


@dataclass(frozen=True)
class Romanised:
    """The romanised side of a Latin text.

    Attributes:
        probability: That the text is romanised at all, 0.0–1.0.
        ranking: Languages and their share of that case, best first, summing to 1.
    """

    probability: float
    ranking: tuple[tuple[str, float], ...]


def weigh(tags: tuple[str, ...], scores: Floats, fast: dict[str, float]) -> Romanised:
    """Weigh a Latin text's romanised languages against all others.

    Args:
        tags: Languages of the n-gram model.
        scores: Its scores, shape (tags,).
        fast: The fast detector's probabilities by language.
    """
    typed = np.array([tag.endswith(SUFFIX) for tag in tags])
    top = scores[typed].max()
    shares = np.exp(scores[typed] - top)
    strength = float(top + np.log(shares.sum()))
    rival = max(
        float(score) + _FAST_WEIGHT * float(np.log(max(_FAST_FLOOR, fast.get(tag, 0.0))))
        for tag, score in zip(tags, scores, strict=True)
        if not tag.endswith(SUFFIX)
    )
    unknown = max((share for tag, share in fast.items() if tag not in tags), default=0.0)
    rival = max(rival, _UNKNOWN + _FAST_WEIGHT * float(np.log(max(_FAST_FLOOR, unknown))))
    shares /= shares.sum()
    names = [tag.removesuffix(SUFFIX) for tag in tags if tag.endswith(SUFFIX)]
    ranking = sorted(zip(names, map(float, shares), strict=True), key=lambda item: -item[1])
    probability = 1.0 / (1.0 + float(np.exp(np.clip(_LEAD - (strength - rival), -30, 30))))
    return Romanised(probability, tuple(ranking[:5]))
