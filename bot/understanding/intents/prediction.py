"""Examples, and what the classifier says of a message."""

from __future__ import annotations

from dataclasses import dataclass

FAQ_PREFIX = "faq/"
"""Beginning of the labels of entries; all others are intents of dialogue."""

OUT_OF_SCOPE = "out_of_scope"
"""Label of examples that belong to no label: they push every score down around them."""

OWN_QUESTIONS = ("ask_human", "angry")
"""Labels asked of every message beside what else it says: they must not lose against an entry."""


def is_entry(label: str) -> bool:
    """Tell whether a label is an entry's."""
    return label.startswith(FAQ_PREFIX)


@dataclass(frozen=True)
class Example:
    """One training text."""

    text: str
    label: str  # "faq/<entry id>", or a dialogue intent such as "greet"
    language: str  # as in the content files, "hi-Latn" included


@dataclass(frozen=True)
class Prediction:
    """Classification of one message, with everything that led to it."""

    label: str | None  # None: out of scope, or not sure enough
    best: str  # the top label whatever its confidence
    confidence: float  # calibrated chance that `best` is right, 0.0-1.0; 0.0 out of scope
    margin: float  # confidence of `best` less that of the runner-up
    threshold: float  # confidence `best` had to reach
    ranking: tuple[tuple[str, float], ...]  # labels with confidence, best first, at most 10
    nearest: tuple[tuple[str, str, float], ...]  # closest examples: text, label, cosine
    scores: tuple[float, ...] = ()  # raw scores of the ranking, about 0 to 1
    own: tuple[tuple[str, float], ...] = ()  # raw scores of OWN_QUESTIONS, whatever is best
    caution: float = 0.0  # by how much the limits of OWN_QUESTIONS are raised with few examples

    @property
    def labels(self) -> list[str]:
        """List the ranked labels, best first."""
        return [label for label, _ in self.ranking]

    def score_of(self, label: str) -> float:
        """Return the raw score of one of `OWN_QUESTIONS`, 0 where it has no examples."""
        return dict(self.own).get(label, 0.0)
