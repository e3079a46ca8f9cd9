"""What a recorded day stands on: the understanding's readings and the content, as JSON.

Readings differ a little between processors, so those of the recording machine are kept and played
again by text. Wordings of answers and of system texts are made up here: who edits a text changes
nothing of a recorded day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from bot.content.models import PERSON, PERSON_WHEN_NEGATIVE, Content, Entry, Reply
from bot.content.texts import SystemTexts
from bot.language.detect import LanguageReading
from bot.language.entities import Entity
from bot.understanding.intents.prediction import Prediction
from bot.understanding.mood.sentiment import SentimentReading
from bot.understanding.service import NOTHING_SURE, Glance, Knowledge, Reading, Understander

LANGUAGES = ("en", "hi", "mr", "ml", "th", "es", "ar")
RANKED = 5
"""Labels kept of a ranking: more than any turn looks at."""
FEW = 8
"""Examples of an entry that are kept: a young entry has no more of them."""


# — readings —


def to_json(reading: Reading) -> dict[str, Any]:
    """Shape a reading as JSON, its numbers rounded."""
    prediction, mood = reading.prediction, reading.sentiment
    return {
        "language": reading.language.to_dict(),
        "prediction": [
            prediction.label,
            prediction.best,
            *(round(n, 4) for n in (prediction.confidence, prediction.margin)),
            round(prediction.threshold, 4),
            [[label, round(score, 4)] for label, score in prediction.ranking[:RANKED]],
            [["", label, round(cosine, 4)] for _, label, cosine in prediction.nearest[:1]],
        ],
        "mood": [mood.label, *(round(n, 4) for n in (mood.negative, mood.positive, mood.score))],
        "entities": [asdict(entity) for entity in reading.entities],
        "also": reading.also,
    }


def from_json(data: Mapping[str, Any]) -> Reading:
    """Read what `to_json` wrote."""
    *numbers, ranking, nearest = data["prediction"]
    return Reading(
        LanguageReading.from_dict(data["language"]),
        Prediction(
            *numbers,
            ranking=tuple((label, score) for label, score in ranking),
            nearest=tuple((text, label, cosine) for text, label, cosine in nearest),
        ),
        SentimentReading(*data["mood"]),
        tuple(Entity(**entity) for entity in data["entities"]),
        data["also"],
    )


class PlayedUnderstander:
    """Reads each text as it was read when the day was recorded; half of them at a glance.

    Args:
        readings: Text → reading, from `to_json`.
        commands: Text → dialogue intent, of words that customers are told to write.
        models: Read what is not among the readings, which then is added; only while recording.
    """

    def __init__(
        self,
        readings: dict[str, Any],
        commands: dict[str, str],
        models: tuple[Understander, Knowledge] | None = None,
    ) -> None:
        self.readings = readings
        self.commands = commands
        self._models = models
        self._ready = {text: from_json(data) for text, data in readings.items()}
        self.broken = False
        self.meanwhile: Any = None
        """Called in the middle of reading: what others do at that moment."""

    def glance(self, text: str, knowledge: Knowledge, unrest: float = 0.0) -> Glance:
        at_once = len(text) % 2 == 0 and not (self.broken or self.meanwhile)
        return Glance(self._reading(text)) if at_once else NOTHING_SURE

    def read(
        self, text: str, knowledge: Knowledge, glance: Glance = NOTHING_SURE, budget: object = None
    ) -> Reading:
        if self.broken:
            raise RuntimeError("the model is gone")
        if self.meanwhile:
            self.meanwhile()
        return self._reading(text)

    def command(self, text: str) -> str:
        if self._models and (intent := self._models[0].command(text)):
            self.commands[text] = intent
        return self.commands.get(text, "")

    def _reading(self, text: str) -> Reading:
        if self._models and text not in self._ready:
            understander, knowledge = self._models
            self.readings[text] = to_json(understander.read(text, knowledge))
            self._ready[text] = from_json(self.readings[text])
        return self._ready[text]


# — content —


def outline(content: Content) -> list[dict[str, Any]]:
    """Keep of each entry what a turn acts on, without its words."""
    return [
        {
            "id": entry.id,
            "topic": entry.topic,
            "policy": entry.policy,
            "targets": [reply.target for reply in entry.quick_replies],
            "examples": min(FEW + 1, sum(len(texts) for texts in entry.examples.values())),
        }
        for entry in content.entries
    ]


def content_of(entries: Iterable[Mapping[str, Any]], number: int, last_day: str) -> Content:
    """Make a version from an outline.

    Every fifth entry ends on the last day, some need a person, some are not answered in every
    language, some have an answer of their own for a channel, in Latin letters, or with what the
    customer named.
    """
    return Content(
        tuple(_entry(place, entry, last_day) for place, entry in enumerate(entries)), number
    )


def _entry(place: int, outlined: Mapping[str, Any], last_day: str) -> Entry:
    name = outlined["id"]
    missing = {"es", "th"} if place % 7 == 3 else set()
    answers = {
        code: f"{name} in {code}{' {order_number|that you placed}' if place % 3 == 0 else ''}"
        for code in LANGUAGES
        if code not in missing
    }
    if place % 2:
        answers["hi-Latn"] = f"{name} in hi-Latn"
    channels = {"telegram": {"en": f"{name} for telegram"}} if place % 6 == 1 else {}
    titles = {code: f"{name} {code}"[:20] for code in LANGUAGES if code not in missing}
    return Entry(
        id=name,
        topic=outlined["topic"],
        subtopic="",
        title=titles,
        examples={"en": ("example",) * outlined["examples"]},
        answers=answers,
        channels=channels,
        quick_replies=tuple(
            Reply(target, {"en": f"More {n}"} if place % 4 == 0 else {})
            for n, target in enumerate(outlined["targets"])
        ),
        policy=outlined["policy"] or _policy(place),
        valid_until=last_day if place % 5 == 2 else "",
    )


def _policy(place: int) -> str:
    """Send more entries to a person than the shipped content does."""
    if place % 17 == 5:
        return PERSON
    return PERSON_WHEN_NEGATIVE if place % 13 == 4 else ""


def without(content: Content, fraction: int) -> Content:
    """Take every nth entry out, as the next version."""
    left = tuple(e for place, e in enumerate(content.entries) if place % fraction)
    return replace(content, entries=left, number=content.number + 1)


# — system texts —


def placeholders(texts: SystemTexts) -> dict[str, list[str]]:
    """Response name → names of the values its text shows."""
    return {
        name: sorted({p for text in by_language.values() for p in re.findall(r"\{(\w+)\}", text)})
        for name, by_language in texts._texts.items()
    }


def plain_render(used: Mapping[str, list[str]]) -> Any:
    """Make `SystemTexts.render` that tells name, language and values instead of a wording."""

    def render(texts: SystemTexts, name: str, language: str, **values: object) -> str:
        code = language if language in LANGUAGES else texts.default
        shown = [f"{key}={values[key]}" for key in used.get(name, ()) if key in values]
        return " ".join([name, code, *shown])

    return render


def plain_language(texts: SystemTexts, name: str, language: str) -> str:
    """Stand in for `SystemTexts.language_for`."""
    return language if language in LANGUAGES else texts.default
