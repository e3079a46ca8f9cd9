"""Answers nobody wrote in the customer's language: translated, marked, never in the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa
from talk import Talk

from bot.content import parity
from bot.errors import TranslationUnavailable
from bot.language.translate import Translator
from bot.stores.tables import messages

FRENCH = "Bonjour, est-ce que vous pouvez me dire où se trouve mon colis s'il vous plaît"


class Shouting:
    """A provider that writes in capitals, or fails."""

    name = "shouting"
    limit_bytes = 2000
    failure = ""

    def translate(self, text: str, source: str, target: str) -> str:
        if self.failure:
            raise TranslationUnavailable(self.name, self.failure)
        return text.upper()


@pytest.fixture
def provider(
    talk: Talk, redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shouting]:
    """Makes the engine of `talk` translate."""
    made = Shouting()
    translator = Translator(made, redis, deadline_s=20.0)
    monkeypatch.setattr(talk.engine.nlg, "_translator", translator)
    monkeypatch.setattr("talk.SCRIPT", _script())
    return made


def _script() -> dict[str, object]:
    from talk import SCRIPT, Meant

    return {**SCRIPT, FRENCH.lower(): Meant("faq/order-status")}


async def test_an_answer_missing_in_the_customers_language_is_translated_and_marked(
    talk: Talk, provider: Shouting
) -> None:
    answer = (await talk.say(FRENCH))[-1]
    assert (answer.text, answer.language) == ("IT IS ON ITS WAY.", "fr")
    assert answer.metadata["machine"] is True
    assert answer.metadata["original"] == "It is on its way."
    assert (answer.entry, answer.content_version) == ("order-status", 7)
    (event,) = await talk.recorded("answer.sent")
    assert event["data"] == {"entry": "order-status", "version": 7, "machine": True, "to": "fr"}
    kept = talk.database.call(
        lambda c: c.execute(
            sa.select(messages.c.text, messages.c.reading).where(messages.c.id == answer.id)
        ).one()
    )
    assert (kept.text, kept.reading["original"]) == ("IT IS ON ITS WAY.", "It is on its way.")
    (found,) = talk.database.call(lambda c: parity.machine_made(c, 0.0))
    assert (found.entry, found.language, found.count) == ("order-status", "fr", 1)
    assert found.detail == "IT IS ON ITS WAY."


async def test_words_a_person_wrote_win(talk: Talk, provider: Shouting) -> None:
    answer = (await talk.say("मेरा ऑर्डर अभी तक क्यों नहीं आया है"))[-1]
    assert answer.text == "रास्ते में है।"
    assert "machine" not in answer.metadata
    (event,) = await talk.recorded("answer.sent")
    assert event["data"] == {"entry": "order-status", "version": 7}


async def test_a_language_asked_for_that_only_a_machine_speaks_is_kept(
    talk: Talk, provider: Shouting
) -> None:
    talk.settings = replace(talk.settings, translation_provider="google")
    talk.handler = talk.handler_on(talk.redis)
    await talk.say("please speak French")
    answer = (await talk.say("where is my order"))[-1]
    assert (answer.text, answer.language) == ("IT IS ON ITS WAY.", "fr")


async def test_a_failure_gives_the_original_with_a_mark(talk: Talk, provider: Shouting) -> None:
    provider.failure = "rate-limited"
    answer = (await talk.say(FRENCH))[-1]
    assert (answer.text, answer.language) == ("It is on its way.", "en")
    assert answer.metadata["untranslated"] == "rate-limited"
    (event,) = await talk.recorded("answer.sent")
    assert event["data"]["untranslated"] == "rate-limited"


async def test_without_a_provider_nothing_changes(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talk.SCRIPT", _script())
    answer = (await talk.say(FRENCH))[-1]
    assert (answer.text, answer.language) == ("It is on its way.", "en")
    assert answer.metadata.keys() == {"of", "episode"}
    assert answer.conversation == builders.inbound().conversation
