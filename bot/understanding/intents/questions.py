"""Questions of a message: one entry, or two where its parts are surely about different ones.

`two_questions.py` cuts; the index judges the parts here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.language.detect import detect
from bot.understanding.budget import Budget
from bot.understanding.embedding.embedder import Embedder
from bot.understanding.intents.cascade import UNLIKELY_BELOW, Cascade, is_sure
from bot.understanding.intents.index import IntentIndex
from bot.understanding.intents.prediction import FAQ_PREFIX, Prediction, is_entry
from bot.understanding.intents.two_questions import cuttable, split_questions

LIKELY = 4
"""Best entries of the whole message among which those of its parts must be; the place of a cut
without a mark is chosen among the best labels, so that small talk in front draws none."""
MAYBE_SECOND = 0.2
"""Score of the second entry from which a message may be cut between any two words."""
SURE_OF_HALF = 0.82
"""Confidence each half of a message must have that is cut where no mark is. Of 66 messages with two
questions .62 are answered so, a twentieth of 667 others is given a second answer."""
PLAIN_IN_PART = 0.5
"""Score from which a part of a message counts for all of it."""


@dataclass(frozen=True)
class Questions:
    """Finder of the questions of messages, in one content version."""

    index: IntentIndex
    cascade: Cascade | None
    embedder: Embedder

    def find(
        self, text: str, whole: Prediction, least: float, budget: Budget
    ) -> tuple[Prediction, str]:
        """Look for a second question.

        Args:
            whole: Prediction for the whole message.
            least: Confidence from which a part is sure.

        Returns:
            The first question's prediction, and the second's entry or "".
        """
        sure, whole = self._sure_parts(split_questions(text), whole, budget, least)
        if len(sure) < 2 and may_be_two(whole):
            parts, cut = unmarked_cuts(text, whole, self.index)
            unmarked, whole = self._sure_parts(parts, whole, budget, least, quick=True)
            if len(unmarked) < 2:
                least = max(least, SURE_OF_HALF)
                unmarked, whole = self._sure_parts(cut, whole, budget, least, quick=True)
            if len(unmarked) > 1:
                # Such a cut may be none: what the whole message says most goes first.
                sure = dict(sorted(unmarked.items(), key=lambda item: item[0] != whole.best))
        return first_two(sure, whole)

    def _sure_parts(
        self,
        parts: Sequence[str],
        whole: Prediction,
        budget: Budget,
        least: float,
        *,
        quick: bool = False,
    ) -> tuple[dict[str, Prediction], Prediction]:
        """Return the entries that parts of a message are surely about, and the whole's prediction.

        Args:
            quick: The cut has no mark: only entries count that the whole message may be about,
                since words torn out mean other things, and the second view is enough.
        """
        possible = likely(whole)
        sure: dict[str, Prediction] = {}
        for part in parts:
            if budget.is_spent:
                break
            prediction = self._predict_part(part, quick=quick)
            whole = _with_own_of(prediction, whole)
            label = prediction.label or ""
            is_possible = label in possible if quick else is_entry(label)
            if is_possible and prediction.confidence >= least:
                sure.setdefault(label, prediction)
        return sure, whole

    def _predict_part(self, part: str, *, quick: bool) -> Prediction:
        """Predict for a part of a message; by the second view alone where that is sure.

        Args:
            quick: The second view is enough in any case, where it knows the language.
        """
        cascade, language = self.cascade, detect(part)
        if (
            cascade is not None
            and language.language in cascade.embedder.second_view_languages
            and not language.romanised
        ):
            prediction = self.index.predict(part, cascade.embed(part))
            if quick or is_sure(prediction) or prediction.confidence < UNLIKELY_BELOW:
                return prediction
        return self.index.predict(part, self.embedder.embed([part])[0])


def likely(whole: Prediction) -> list[str]:
    """List the entries that parts of a message without a mark may be about."""
    return [label for label in whole.labels if is_entry(label)][:LIKELY]


def unmarked_cuts(
    text: str, whole: Prediction, index: IntentIndex
) -> tuple[Sequence[str], Sequence[str]]:
    """Cut a message at commas, and between two words; each is empty where there is no such cut."""
    halves = index.best_cut(cuttable(text), whole.labels[:LIKELY])
    return split_questions(text, at_commas=True), halves


def may_be_two(whole: Prediction) -> bool:
    """Tell whether a second entry is near enough for a message to ask two questions."""
    scores = [s for label, s in zip(whole.labels, whole.scores, strict=False) if is_entry(label)]
    return len(scores) > 1 and scores[1] >= MAYBE_SECOND


def _with_own_of(part: Prediction, whole: Prediction) -> Prediction:
    """Count a person asked for, or anger, in a part of the message where it is plain there."""
    plain = {label: score for label, score in part.own if score >= PLAIN_IN_PART}
    if not plain:
        return whole
    own = {label: max(score, plain.get(label, 0.0)) for label, score in whole.own}
    return replace(whole, own=tuple(own.items()))


def first_two(sure: Mapping[str, Prediction], whole: Prediction) -> tuple[Prediction, str]:
    """Return the first question's prediction and the second's entry, or `whole` and "" if one."""
    if len(sure) < 2:
        return whole, ""
    first, second = list(sure)[:2]
    # What the whole message asks beside its matters is kept.
    return replace(sure[first], own=whole.own), second.removeprefix(FAQ_PREFIX)
