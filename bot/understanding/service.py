"""The understanding service: reads a message's language, intent, mood and entities.

The models are loaded once per process; what belongs to a content version is a `Knowledge`, replaced
as a whole, so no message is read with one version and answered with another.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from bot.content.models import PERSON_WHEN_NEGATIVE, Content
from bot.language.detect import LanguageReading, detect
from bot.language.entities import Entity, extract, without_identifiers
from bot.language.normalise import fold
from bot.settings import Settings
from bot.understanding.budget import UNLIMITED, Budget
from bot.understanding.embedding.default import load_embedder
from bot.understanding.embedding.embedder import Embedder
from bot.understanding.embedding.vector_cache import VectorCache
from bot.understanding.examples import faq_examples, load_dialogue_examples
from bot.understanding.intents import index as index_module
from bot.understanding.intents.cascade import (
    CALM,
    MOST_CHARS,
    UNLIKELY_BELOW,
    Cascade,
    SecondView,
    has_two_views,
    is_sure,
    stays_calm,
)
from bot.understanding.intents.index import IntentIndex
from bot.understanding.intents.prediction import FAQ_PREFIX, Example, Prediction, is_entry
from bot.understanding.intents.questions import (
    Questions,
    first_two,
    likely,
    may_be_two,
    unmarked_cuts,
)
from bot.understanding.intents.two_questions import split_questions
from bot.understanding.mood.sentiment import SentimentModel, SentimentReading, load_or_fit

LOG = structlog.get_logger(__name__)

ANGRY = "angry"
"""Dialogue intent that hands off by itself: never taken from the first look."""
ASK_HUMAN = "ask_human"
WANTS_PERSON = 0.25
"""Score from which a message asks for a person, whatever else it says: of messages by writers who
had not seen the examples, .95 of the requests reach it and .005 of the ordinary ones."""
MAY_WANT_PERSON = 0.12
"""Score up to which a first look need not ask again whether a person is wanted."""
IS_ANGRY = 0.3
"""Score from which a message is angry at us: .98 of plain anger, .003 of ordinary messages."""
MAY_BE_ANGRY = 0.15
"""Score below which a first look need not ask again whether the customer is angry."""
CASCADE = "cascade.npy"
KEPT_INDEXES = 8
"""Fitted indexes kept on disk: the live one, and those a rollback may need again."""


@dataclass(frozen=True)
class Reading:
    """Reading of one message: language, intent, mood, entities."""

    language: LanguageReading
    prediction: Prediction
    sentiment: SentimentReading
    entities: tuple[Entity, ...]
    also: str = ""
    """Entry of a second question in the same message."""

    @property
    def intent(self) -> str:
        """Return the best label, `faq` for any entry; empty when no label is sure enough."""
        label = self.prediction.label or ""
        if label == ASK_HUMAN and self.prediction.caution and not self.asks_for_person:
            return ""  # asked back, with a button for a person
        return "faq" if is_entry(label) else label

    @property
    def entry(self) -> str:
        """Return the best label's entry id; empty when it is no entry."""
        best = self.prediction.best
        return best.removeprefix(FAQ_PREFIX) if is_entry(best) else ""

    @property
    def asks_for_person(self) -> bool:
        """Tell whether the message asks for a person, alone or beside a matter."""
        return self.prediction.score_of(ASK_HUMAN) >= WANTS_PERSON + self.prediction.caution

    @property
    def anger(self) -> float:
        """Return how much the message is anger at us, about 0 to 1; `IS_ANGRY` and more is."""
        return self.prediction.score_of(ANGRY) - self.prediction.caution

    def to_dict(self) -> dict[str, Any]:
        """Shape for `parse --json`: language, intent, ranking, sentiment, entities and more."""
        return {
            "language": self.language.to_dict(),
            "intent": self.prediction.label or "out_of_scope",
            "confidence": round(self.prediction.confidence, 4),
            "threshold": round(self.prediction.threshold, 4),
            "margin": round(self.prediction.margin, 4),
            "ranking": [
                {"intent": label, "confidence": round(score, 4)}
                for label, score in self.prediction.ranking
            ],
            "nearest": [
                {"text": text, "intent": label, "cosine": round(cosine, 4)}
                for text, label, cosine in self.prediction.nearest
            ],
            "sentiment": {
                "label": self.sentiment.label,
                "negative": round(self.sentiment.negative, 4),
                "score": round(self.sentiment.score, 4),
            },
            "also": self.also or None,
            "asks_for_person": round(self.prediction.score_of(ASK_HUMAN), 4),
            "anger": round(self.anger, 4),
            "entities": [
                {"entity": e.kind, "value": e.value, "text": e.text, "start": e.start, "end": e.end}
                for e in self.entities
            ],
        }


@dataclass(frozen=True)
class Glance:
    """Result of the first look at a message: as much as it is sure of."""

    reading: Reading | None = None
    """The complete reading, where everything is sure."""
    whole: Prediction | None = None
    """Prediction for the whole message, where only a second question is in doubt."""
    mood: SentimentReading | None = None
    """Mood, where only a second question is in doubt."""


NOTHING_SURE = Glance()


@dataclass(frozen=True)
class Knowledge:
    """A content version and the intent index fitted to it."""

    content: Content
    index: IntentIndex
    cascade: Cascade | None = None
    """Predicts the first view; None where the embedder has only one view."""


class Understander:
    """Reader of messages, with the models of one process; methods block and may run in threads."""

    def __init__(
        self,
        embedder: Embedder,
        sentiment: SentimentModel,
        settings: Settings,
        quick_sentiment: SentimentModel | None = None,
    ) -> None:
        """Use `load` instead.

        Args:
            quick_sentiment: Model of the mood over the embedder's second view alone.
        """
        self.embedder = embedder
        self.sentiment = sentiment
        self.quick_sentiment = quick_sentiment
        self._settings = settings
        self._dialogue = load_dialogue_examples(settings.data_dir / "nlu")
        self._commands = {_plain(example.text): example.label for example in self._dialogue}

    @classmethod
    def load(cls, settings: Settings) -> Understander:
        """Load the models; prepare their files the first time in a state folder (seconds)."""
        settings.made_dir.mkdir(parents=True, exist_ok=True)
        embedder = load_embedder(settings.made_dir)
        sentiment = load_or_fit(settings.made_dir, settings.data_dir, embedder)
        quick = None
        if has_two_views(embedder):
            second = SecondView(embedder)
            quick = load_or_fit(settings.made_dir, settings.data_dir, second, second.languages)
        detect("warm up")
        return cls(embedder, sentiment, settings, quick)

    def learn(self, content: Content, previous: Knowledge | None = None) -> Knowledge:
        """Fit the index to a content version, or open the one another process has fitted.

        Unchanged examples keep their vectors, so a small change costs a small part of a second.

        Args:
            previous: The knowledge of the version before; makes the fit of a large pack faster.
        """
        examples = [*faq_examples(content), *self._dialogue]
        indexes_dir = self._settings.made_dir / "index"
        folder = indexes_dir / self._index_name(examples)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one process fits, the others wait and map
            if not (folder / "index.json").exists():
                cache = VectorCache(self._settings.made_dir / "vectors", self.embedder)
                vectors = cache.embed([example.text for example in examples], _log_progress)
                previous_index = previous.index if previous else None
                index = IntentIndex.fit(
                    examples, vectors, embedder=self.embedder, previous=previous_index
                )
                cascade = Cascade.fit(examples, vectors, self.embedder)
                if cascade is not None:
                    cascade.save(folder / CASCADE)
                index.save(folder)  # its last file says that the folder is complete
                _remove_old_indexes(indexes_dir, keep=KEPT_INDEXES)
        os.utime(folder)  # what is in use is not the oldest
        cascade = Cascade.load(folder / CASCADE, self.embedder)
        return Knowledge(content, IntentIndex.load(folder, self.embedder), cascade)

    def glance(self, text: str, knowledge: Knowledge, unrest: float = 0.0) -> Glance:
        """Take a first look: read a message in a fifth of the time, by the second view alone.

        See `cascade.py`.

        Args:
            unrest: Running mean of the conversation's negativity so far.

        Returns:
            What is sure; `read` must do the rest.
        """
        cascade, quick = knowledge.cascade, self.quick_sentiment
        if cascade is None or quick is None or len(text) > MOST_CHARS:
            return NOTHING_SURE
        question = without_identifiers(text)
        parts = split_questions(question)
        known = None if parts else cascade.embedder.cached(question)
        if known is not None:
            whole, mood = self._whole(text, question, known, knowledge)
            if may_be_two(whole) and any(unmarked_cuts(question, whole, knowledge.index)):
                return Glance(whole=whole, mood=mood)  # its parts cost more than a look
            return Glance(Reading(detect(text), whole, mood, extract(text)))
        language = detect(text)
        if language.romanised or language.language not in cascade.embedder.second_view_languages:
            return NOTHING_SURE
        second = cascade.embedder.second_view(question)
        whole = knowledge.index.predict(question, cascade.complete(second))
        if not is_sure(whole) or _is_touchy(whole):
            return NOTHING_SURE
        mood = quick.predict(text, second)
        limit = self._settings.thresholds.negative_mean
        if not stays_calm(mood, unrest, limit):
            return NOTHING_SURE  # a person may be needed
        sure: dict[str, Prediction] = {}
        possible = set[str]()
        for part in parts:
            prediction_of_part = knowledge.index.predict(part, cascade.embed(part))
            if _is_touchy(prediction_of_part):
                return Glance(whole=whole, mood=mood)
            if is_sure(prediction_of_part) and is_entry(prediction_of_part.best):
                sure.setdefault(prediction_of_part.best, prediction_of_part)
            elif prediction_of_part.confidence >= UNLIKELY_BELOW:
                possible.add(prediction_of_part.best)
        is_open = len(sure) < 2 and may_be_two(whole)
        about = {whole.best, *sure, *possible, *(likely(whole) if is_open else ())}
        if mood.negative > CALM and _needs_person_when_negative(knowledge.content, *about):
            return NOTHING_SURE
        if is_open:
            return Glance(whole=whole, mood=mood)
        if possible and len(possible | sure.keys() | {whole.best}) > 1:
            return Glance(whole=whole, mood=mood)  # it may be two questions
        prediction, also = first_two(sure, whole)
        return Glance(Reading(language, prediction, mood, extract(text), also))

    def read(
        self,
        text: str,
        knowledge: Knowledge,
        glance: Glance = NOTHING_SURE,
        budget: Budget = UNLIMITED,
    ) -> Reading:
        """Understand one message.

        Args:
            glance: Result of the first look at it.
            budget: What it may cost; a message beyond that counts as not understood.
        """
        question = without_identifiers(text)
        if budget.is_spent:
            return _not_understood(text)
        whole, mood = glance.whole, glance.mood
        if whole is None or mood is None:
            vector: npt.NDArray[np.float32] = self.embedder.embed([question])[0]
            whole, mood = self._whole(text, question, vector, knowledge)
        least = max(whole.threshold, self._settings.thresholds.confidence)
        questions = Questions(knowledge.index, knowledge.cascade, self.embedder)
        prediction, also = questions.find(question, whole, least, budget)
        return Reading(detect(text), prediction, mood, extract(text), also)

    def understand(
        self, text: str, knowledge: Knowledge, unrest: float = 0.0, budget: Budget = UNLIMITED
    ) -> Reading:
        """Understand one message as in a conversation: by the first look where that is sure.

        Args:
            unrest: Running mean of the conversation's negativity so far.
            budget: What it may cost.
        """
        glance = self.glance(text, knowledge, unrest)
        return glance.reading or self.read(text, knowledge, glance, budget)

    def _whole(
        self, text: str, question: str, vector: npt.NDArray[np.float32], knowledge: Knowledge
    ) -> tuple[Prediction, SentimentReading]:
        """Return prediction and mood of a whole message; `vector` is that of its question."""
        return knowledge.index.predict(question, vector), self.sentiment.predict(text, vector)

    def command(self, text: str) -> str:
        """Return the dialogue intent of a text that equals one of its examples; else empty.

        The bot tells customers to write single words ("person", "cancel"); those must always work.
        """
        return self._commands.get(_plain(text), "")

    def _index_name(self, examples: Sequence[Example]) -> str:
        """Name the folder of an index by all that shapes it, its own code included."""
        digest = hashlib.sha256(self.embedder.name.encode())
        intents = Path(index_module.__file__).parent
        parts = (
            *("index", "balance", "calibrate", "spaces", "ridge", "names", "cascade", "rows"),
            *("prediction", "../ngrams"),
        )
        for part in parts:
            digest.update((intents / f"{part}.py").read_bytes())
        digest.update(json.dumps([(e.label, e.language, e.text) for e in examples]).encode())
        return digest.hexdigest()[:24]


def _is_touchy(whole: Prediction) -> bool:
    """Tell whether a person may be wanted, or the customer may be angry."""
    wants_person = whole.score_of(ASK_HUMAN) > MAY_WANT_PERSON and whole.best != ASK_HUMAN
    return whole.best == ANGRY or whole.score_of(ANGRY) > MAY_BE_ANGRY or wants_person


def _not_understood(text: str) -> Reading:
    nothing = Prediction(None, "", 0.0, 0.0, 1.0, (), ())
    return Reading(detect(text), nothing, SentimentReading("neutral", 0.0, 0.0, 0.0), ())


def _log_progress(embedded: int, total: int) -> None:
    LOG.info("understanding.embedding", done=embedded, wanted=total)


def _remove_old_indexes(indexes_dir: Path, keep: int) -> None:
    """Remove the indexes not opened for longest; a process that still maps one keeps it."""
    folders = sorted(indexes_dir.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for folder in folders[keep:]:
        shutil.rmtree(folder, ignore_errors=True)


def _plain(text: str) -> str:
    return fold(text).strip(" \n.,!?؟।\"'“”")


def _needs_person_when_negative(content: Content, *labels: str) -> bool:
    """Tell whether one of these entries goes to a person when the message is negative."""
    entries = (content.by_id.get(label.removeprefix(FAQ_PREFIX)) for label in labels)
    return any(entry is not None and entry.policy == PERSON_WHEN_NEGATIVE for entry in entries)
