"""Combined detection: the vote of all detectors on one message.

Every detector gives log probabilities; they are added with a weight for each. The n-gram model
knows chat and romanised text, fastText (the "fast" detector) the vocabulary of 176 languages, CLD2
the words of 83; langdetect (the "slow" one) runs when these leave a doubt.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.language import cld2, fasttext, langdetect, ngrams, romanised, telling
from bot.language.ngrams import Floats

Ranking = tuple[tuple[str, float], ...]

_FLOOR: Final = 0.003
# The fast detector is as sure on few letters as on many, and then wrong: its vote counts in full
# from 24 characters on.
_TRUST: Final = 0.2
_TRUSTED_CHARS: Final = 30
# And up to twice from 54 on: names in English are many in long messages, and fool the others.
_MOST_TRUST: Final = 2.0
# Languages the n-gram model does not know start this far below the best it knows, and a low share
# of the fast detector speaks less against them.
_UNKNOWN: Final = -4.0
_UNKNOWN_FLOOR: Final = 0.05
# CLD2 gives whole shares and no small ones, so a language it leaves out is not ruled out. On long
# texts it is the surest of all (98 % of sentences in 75 languages against 84 % for the others).
_CLD2_WEIGHT: Final = 0.9
_CLD2_LEAST: Final = 0.7
_CLD2_SHORT: Final = 8
_CLD2_MOST: Final = 3.5
_CLD2_CHARS: Final = (50, 110)
_CLD2_FLOOR: Final = 0.02
# What CLD2 says nearly alone, about a language that customers seldom write and the n-gram model has
# few or no sentences of, gets this much on top; more where the fast detector says so, too.
_NAMED_SHARE: Final = 0.9
_NAMED_CHARS: Final = 5
_NAMED_PRIOR: Final = -0.6
_NAMED: Final = 1.5
_NAMED_TWICE: Final = 5.0
# Latin is in lists of languages and in no chat; only CLD2, which takes little for it, may say so.
_CLD2_KNOWS: Final = frozenset({"la"})
# Below this lead of the first over the second, langdetect runs; its vote weighs little, as it
# is the weakest of them on chat (80 % against 91 % for the fast one).
_DOUBT: Final = 0.2
_SLOW_WEIGHT: Final = 0.5
_SLOW_FLOOR: Final = 0.02
_SLOW_LETTERS: Final = 8
_LISTED: Final = 5
_LEAST_LETTERS: Final = 3
_EDGES: Final = ".,;:!?()\"'…-"


@dataclass(frozen=True)
class Opinion:
    """Combined result of the detectors.

    Attributes:
        ranking: Languages and shares of probability, best first.
        romanised: Whether the first of them is typed in Latin letters though it has its own script.
        asked_slow: langdetect was asked.
    """

    ranking: Ranking
    romanised: bool
    used_langdetect: bool


def _softmax(scores: Floats, tags: tuple[str, ...]) -> Ranking:
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    best = np.argsort(-shares, kind="stable")[:_LISTED]
    return tuple((tags[at], float(shares[at])) for at in best)


def _is_doubtful(ranking: Ranking) -> bool:
    return len(ranking) > 1 and ranking[0][1] - ranking[1][1] < _DOUBT


def _logs(shares: dict[str, float], tags: tuple[str, ...], floor: float) -> Floats:
    values = np.array([shares.get(tag, 0.0) for tag in tags], dtype=np.float32)
    return np.log(np.maximum(values, np.float32(floor)))


def _cld2_weight(text: str) -> float:
    if len(text) < _CLD2_SHORT:
        return _CLD2_LEAST
    first, last = _CLD2_CHARS
    share = min(1.0, max(0.0, (len(text) - first) / (last - first)))
    return _CLD2_WEIGHT + share * (_CLD2_MOST - _CLD2_WEIGHT)


def _named_languages(
    text: str, cld2_shares: dict[str, float], fast_shares: dict[str, float], model: ngrams.Model
) -> dict[str, float]:
    """Return what is added to the rare language that CLD2 names, in nats, by its tag."""
    if len(text) < _NAMED_CHARS:
        return {}
    fastest = max(fast_shares, key=lambda tag: fast_shares[tag], default="")
    return {
        tag: _NAMED_TWICE if tag == fastest else _NAMED
        for tag, share in cld2_shares.items()
        if share >= _NAMED_SHARE and (tag not in model.index or ngrams.prior(tag) <= _NAMED_PRIOR)
    }


def _accents(text: str) -> int:
    return sum(not mark.isascii() and mark.isalpha() for mark in text)


def _without_loans(text: str) -> str:
    """Remove English words that customers of every language use ("refund", "customer care").

    The remaining words show the language of the sentence; a text without others stays whole.
    """
    words = [
        word for word in text.split() if word.lower().strip(_EDGES) not in telling.words("loans")
    ]
    return " ".join(words) if sum(map(len, words)) >= _LEAST_LETTERS else text


def vote(text: str, script: str) -> Opinion:
    """Rank the languages of a text in a script that several languages share.

    Args:
        text: A message without its noise, not empty.
        script: ISO 15924 of its letters.
    """
    if script == "Latn":
        text = _without_loans(text)
    unlikely = telling.words("unlikely")
    fast_shares = {tag: share for tag, share in fasttext.rank(text) if tag not in unlikely}
    model = ngrams.model_for(script)
    if model is None:
        return Opinion(tuple(fast_shares.items()), False, False)
    scores = model.scores(text)
    trust = min(_MOST_TRUST, _TRUST + len(text) / _TRUSTED_CHARS)
    fast_votes = np.zeros(len(model.tags), dtype=np.float32)
    other_votes = {}
    for tag, share in fast_shares.items():
        if tag in model.index:
            fast_votes[model.index[tag]] = share
        else:
            other_votes[tag] = share
    known = unlikely - _CLD2_KNOWS
    cld2_shares = {tag: share for tag, share in cld2.rank(text).items() if tag not in known}
    named = _named_languages(text, cld2_shares, fast_shares, model)
    if model.romanised.any():
        unknown = max(other_votes.values(), default=0.0)
        romanised_reading = romanised.weigh(
            model,
            scores,
            fast_votes,
            unknown,
            min(1.0, trust),
            accents=_accents(text),
            named=named,
        )
        if romanised_reading.probability >= 0.5:
            ranking = tuple(
                (tag, share * romanised_reading.probability)
                for tag, share in romanised_reading.ranking
            )
            return Opinion(ranking, True, False)
        scores = np.where(model.romanised, -np.inf, scores)
    for tag in cld2_shares.keys() - model.index.keys():
        other_votes.setdefault(tag, 0.0)
    tags = model.tags + tuple(other_votes)
    combined = np.concatenate(
        [
            scores + trust * np.log(np.maximum(fast_votes, np.float32(_FLOOR))),
            scores[~model.romanised].max()
            + _UNKNOWN
            + trust * _logs(other_votes, tuple(other_votes), _UNKNOWN_FLOOR),
        ]
    )
    if cld2_shares:
        combined = combined + _cld2_weight(text) * _logs(cld2_shares, tags, _CLD2_FLOOR)
        combined = combined + np.array([named.get(tag, 0.0) for tag in tags], dtype=np.float32)
    ranking = _softmax(combined, tags)
    if not _is_doubtful(ranking) or len(text.replace(" ", "")) < _SLOW_LETTERS:
        return Opinion(ranking, False, False)
    votes = langdetect.rank(text)
    if votes:
        combined = combined + _SLOW_WEIGHT * _logs(votes, tags, _SLOW_FLOOR)
    return Opinion(_softmax(combined, tags), False, True)
