"""Words for Rasa's responses: FAQ answers from published content, the rest from domain.yml.

Rasa turns an exception or None from here into silence, so nothing leaves this module but text:
what fails becomes an apology with the mark `FAILED`, and the turn hands off as `bot-failure`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from rasa.core.nlg.generator import NaturalLanguageGenerator
from rasa.shared.core.trackers import DialogueStateTracker

from bot import settings
from bot.content import placeholders
from bot.content.models import PERSON, Content, Entry
from bot.content.texts import SystemTexts
from bot.dialogue import asking, runtime
from bot.dialogue.asking import Voice
from bot.errors import TranslationUnavailable
from bot.language import codes
from bot.language.translate import Translator

_LOG = logging.getLogger(__name__)
FAILED = "failed"
"""Metadata key of an answer that could not be made."""
CLARIFY_CHOICES = 3
OFFERS_PERSON = frozenset(
    {
        "utter_greet",
        "utter_out_of_scope",
        "utter_not_helped",
        "utter_default",
        "utter_language_changed",
        "utter_language_unsupported",
    }
)
"""Answers that do not solve anything by themselves: a person is one tap away."""


class ContentNlg(NaturalLanguageGenerator):
    """Answers by response name, language, channel and content version.

    Args:
        translator: Translates answers that nobody wrote in the customer's language, if given.
    """

    def __init__(
        self, endpoint_config: Any = None, domain: Any = None, translator: Translator | None = None
    ) -> None:
        self._translator = translator
        self._settings = settings.load()
        self._texts = SystemTexts.load(self._settings.default_language)

    async def generate(
        self, utter_action: str, tracker: DialogueStateTracker, output_channel: str, **kwargs: Any
    ) -> dict[str, Any]:
        voice = _voice()
        language = voice.language if voice else self._language(tracker)
        try:
            content = voice.content if voice else runtime.knowledge().content
            if utter_action.startswith("utter_faq/"):
                entry = content.by_id[utter_action.removeprefix("utter_faq/")]
                made = self._answer(entry, content, language, output_channel)
                named = placeholders.values(voice.text) if voice else {}
                made["text"] = placeholders.resolve(made["text"], named)
                return _filled(await self._translated(made, language), named)
            values = {**self._values(language), **(voice.values if voice else {}), **kwargs}
            values.pop("domain_responses", None)
            if utter_action == "utter_clarify":
                return self._clarify(tracker, content, language, values)
            text = self._texts.render(utter_action, language, **values)
            made = {
                "text": text,
                "language": self._texts.language_for(utter_action, language),
            }
            if utter_action in OFFERS_PERSON:
                made["quick_replies"] = [self._action("person", language)]
            return made
        except Exception:
            _LOG.exception("nlg.failed response=%s", utter_action.split("/")[0])
            text = self._texts.render("utter_apology", language)
            return {"text": text, "language": language, FAILED: True}

    def _answer(
        self, entry: Entry, content: Content, language: str, channel: str
    ) -> dict[str, Any]:
        today = _today()
        if not entry.is_valid(today):
            return {
                "text": self._texts.render("utter_clarify_none", language),
                "language": language,
                "quick_replies": [self._action("person", language)],
            }
        default = self._settings.default_language
        text, given = entry.answer(self._as_written(language), channel, default)
        replies = []
        for reply in entry.quick_replies:
            if reply.target == PERSON:
                replies.append(self._action("person", given))
                continue
            if not content.answers(reply.target, today):
                continue
            title = reply.title.get(given) or content.by_id[reply.target].title_in(given, default)
            replies.append({"title": title, "entry": reply.target, "payload": reply.target})
        replies += [self._action("helped", given), self._action("not-helped", given)]
        return {
            "text": text,
            "quick_replies": replies,
            "language": given,
            "entry": entry.id,
            "content_version": content.number,
        }

    async def _translated(self, made: dict[str, Any], language: str) -> dict[str, Any]:
        """Translate an answer into the customer's language where nobody wrote one.

        Returns:
            `made` with `metadata`: `machine`, `provider`, `original` and `original_language`, or
            `untranslated` with the reason why the original stands.
        """
        voice = _voice()
        belief = voice.belief if voice else None
        wanted = (belief.explicit or belief.language) if belief else language
        given = str(made["language"]).split("-")[0]
        if self._translator is None or not made.get("entry") or wanted == given:
            return made
        try:
            found = await self._translator.translate(made["text"], given, wanted)
        except TranslationUnavailable as error:
            return {**made, "metadata": {"untranslated": error.reason}}
        translation = {
            "machine": True,
            "provider": found.provider,
            "original": found.original,
            "original_language": made["language"],
        }
        return {**made, "text": found.text, "language": wanted, "metadata": translation}

    def _as_written(self, language: str) -> str:
        """`hi-Latn` for a customer who types Hindi in Latin letters, if the settings want it."""
        voice = _voice()
        belief = voice.belief if voice else None
        wanted = self._settings.romanised_answers == "as-written"
        return f"{language}-Latn" if wanted and belief and belief.romanised else language

    def _clarify(
        self,
        tracker: DialogueStateTracker,
        content: Content,
        language: str,
        values: dict[str, Any],
    ) -> dict[str, Any]:
        latest = tracker.latest_message
        choices = (latest.parse_data if latest else {}).get("understanding", {}).get("choices", [])
        default = self._settings.default_language
        replies = [
            {"title": content.by_id[c].title_in(language, default), "entry": c, "payload": c}
            for c in choices[:CLARIFY_CHOICES]
            if content.answers(c, _today())
        ]
        name = "utter_clarify" if replies else "utter_clarify_none"
        return {
            "text": self._texts.render(name, language, **values),
            "quick_replies": [*replies, self._action("person", language)],
            "language": self._texts.language_for(name, language),
        }

    def _action(self, action: str, language: str) -> dict[str, Any]:
        name = f"utter_title_{action.replace('-', '_')}"
        title = self._texts.render(name, language)
        return {"title": title, "action": action, "payload": action}

    def _values(self, language: str) -> dict[str, Any]:
        return {
            "business": self._settings.business_name,
            "languages": ", ".join(codes.name(c) for c in self._settings.languages),
            "hours": self._texts.render("utter_hours", language),
        }

    def _language(self, tracker: DialogueStateTracker) -> str:
        """Outside a turn: what the understanding of the latest message says."""
        latest = tracker.latest_message
        reading = (latest.parse_data if latest else {}).get("understanding", {})
        language = str(reading.get("language") or self._settings.default_language)
        is_ours = language in self._settings.languages
        return language if is_ours else self._settings.default_language


def _filled(made: dict[str, Any], named: Mapping[str, str]) -> dict[str, Any]:
    """Put what the customer named into an answer, and into the original of a translated one."""
    filled = {**made, "text": placeholders.fill(made["text"], named)}
    metadata = made.get("metadata", {})
    if "original" in metadata:
        original = placeholders.fill(metadata["original"], named)
        filled["metadata"] = {**metadata, "original": original}
    return filled


def _voice() -> Voice | None:
    """How the turn under way words its answers; None outside a turn."""
    question = asking.current()
    return question.voice if question else None


def _today() -> date:
    """Day of the message; outside a turn, today (UTC)."""
    voice = _voice()
    return voice.today if voice else datetime.now(UTC).date()
