"""NLG for Rasa: FAQ answers from published content, other texts from domain.yml.

Rasa sends nothing after an exception or None from here, so this module always returns text: a
failure becomes an apology with the key `FAILED`, and the turn hands off as `bot-failure`.
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
from bot.dialogue import rasa_call, runtime
from bot.dialogue.rasa_call import AnswerOptions
from bot.errors import TranslationUnavailable
from bot.language import codes
from bot.language.translate import Translator

_LOG = logging.getLogger(__name__)
FAILED = "failed"
"""Key of an answer that could not be generated."""
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
"""Answers that solve nothing by themselves; they get a button for a person."""


class ContentNlg(NaturalLanguageGenerator):
    """NLG by response name, language, channel and content version.

    Args:
        translator: Translates answers that are not written in the customer's language, if any.
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
        options = _options()
        language = options.language if options else self._language(tracker)
        try:
            content = options.content if options else runtime.knowledge().content
            if utter_action.startswith("utter_faq/"):
                entry = content.by_id[utter_action.removeprefix("utter_faq/")]
                output = self._answer(entry, content, language, output_channel)
                customer_values = placeholders.values(options.text) if options else {}
                output["text"] = placeholders.resolve(output["text"], customer_values)
                return _filled(await self._translated(output, language), customer_values)
            values = {**self._values(language), **(options.values if options else {}), **kwargs}
            values.pop("domain_responses", None)
            if utter_action == "utter_clarify":
                return self._clarify(tracker, content, language, values)
            text = self._texts.render(utter_action, language, **values)
            output = {
                "text": text,
                "language": self._texts.language_for(utter_action, language),
            }
            if utter_action == "utter_which_language":
                output["quick_replies"] = self._languages(language)
            if utter_action in OFFERS_PERSON:
                output["quick_replies"] = [self._action("person", language)]
            return output
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
        text, answer_language = entry.answer(self._as_written(language), channel, default)
        replies = []
        for reply in entry.quick_replies:
            if reply.target == PERSON:
                replies.append(self._action("person", answer_language))
                continue
            if not content.answers(reply.target, today):
                continue
            title = reply.title.get(answer_language) or content.by_id[reply.target].title_in(
                answer_language, default
            )
            replies.append({"title": title, "entry": reply.target, "payload": reply.target})
        replies += [
            self._action("helped", answer_language),
            self._action("not-helped", answer_language),
        ]
        return {
            "text": text,
            "quick_replies": replies,
            "language": answer_language,
            "entry": entry.id,
            "content_version": content.number,
        }

    async def _translated(self, output: dict[str, Any], language: str) -> dict[str, Any]:
        """Translate an answer that is not written in the customer's language.

        Returns:
            `output` with `metadata`: `machine`, `provider`, `original` and `original_language`, or
            `untranslated` with the reason why the original is kept.
        """
        options = _options()
        belief = options.belief if options else None
        target = (belief.explicit or belief.language) if belief else language
        source = str(output["language"]).split("-")[0]
        if self._translator is None or not output.get("entry") or target == source:
            return output
        try:
            translated = await self._translator.translate(output["text"], source, target)
        except TranslationUnavailable as error:
            return {**output, "metadata": {"untranslated": error.reason}}
        translation = {
            "machine": True,
            "provider": translated.provider,
            "original": translated.original,
            "original_language": output["language"],
        }
        return {**output, "text": translated.text, "language": target, "metadata": translation}

    def _as_written(self, language: str) -> str:
        """Return `hi-Latn` for customers who type Hindi in Latin letters, if settings want it."""
        options = _options()
        belief = options.belief if options else None
        is_wanted = self._settings.romanised_answers == "as-written"
        return f"{language}-Latn" if is_wanted and belief and belief.romanised else language

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

    def _languages(self, spoken: str) -> list[dict[str, Any]]:
        """Buttons for the other languages, each by its own name."""
        return [
            {"title": codes.name(code), "action": action, "payload": action}
            for code in self._settings.languages
            if code != spoken
            for action in [f"language:{code}"]
        ]

    def _values(self, language: str) -> dict[str, Any]:
        return {
            "business": self._settings.business_name,
            "languages": ", ".join(codes.name(c) for c in self._settings.languages),
            "hours": self._texts.render("utter_hours", language),
        }

    def _language(self, tracker: DialogueStateTracker) -> str:
        """Return the language of the latest message's reading, outside a turn."""
        latest = tracker.latest_message
        reading = (latest.parse_data if latest else {}).get("understanding", {})
        language = str(reading.get("language") or self._settings.default_language)
        is_ours = language in self._settings.languages
        return language if is_ours else self._settings.default_language


def _filled(output: dict[str, Any], customer_values: Mapping[str, str]) -> dict[str, Any]:
    """Fill the customer's values into an answer, and into the original of a translated one."""
    filled = {**output, "text": placeholders.fill(output["text"], customer_values)}
    metadata = output.get("metadata", {})
    if "original" in metadata:
        original = placeholders.fill(metadata["original"], customer_values)
        filled["metadata"] = {**metadata, "original": original}
    return filled


def _options() -> AnswerOptions | None:
    """Return the answer options of the current turn; None outside a turn."""
    call = rasa_call.current()
    return call.options if call else None


def _today() -> date:
    """Return the day of the message; outside a turn, today (UTC)."""
    options = _options()
    return options.today if options else datetime.now(UTC).date()
