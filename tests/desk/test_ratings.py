"""What a customer said about an episode, and their consent, as agents see it."""

from __future__ import annotations

import desk_seed as seed
import sqlalchemy as sa
from desk_world import Desk
from sqlalchemy.engine import Connection

from bot.desk.conversation import event_lines, thread
from bot.desk.texts import Catalogue
from bot.stores.tables import customers, survey_answers

HOSTILE = '<img src=x onerror="alert(1)"> schön'


def _rated(connection: Connection, comment: str) -> None:
    seed.conversation(connection, "r", state="resolved")
    connection.execute(
        sa.insert(survey_answers).values(
            episode_id="e-r",
            survey="csat",
            conversation="r",
            score=2,
            comment=comment,
            language="en",
            answered_at=1.0,
        )
    )
    seed.event(connection, "r", "survey.answered", data={"survey": "csat", "score": 2})
    agreed = sa.update(customers).values(consent_version="3", consent_at=1_700_000_000.0)
    connection.execute(agreed)


def _line(desk: Desk, language: str) -> str:
    told = desk.database.call(lambda c: thread.load(c, "r", "u-asha"))
    assert told is not None
    (item,) = [item for item in told.items if item.author == "survey.answered"]
    return str(event_lines.event_line(Catalogue.load().of(language), item, told.names))


def test_a_rating_is_a_line_of_the_thread(desk: Desk) -> None:
    desk.database.call(lambda c: _rated(c, ""))
    assert _line(desk, "en") == "Rated 2 of 5"


def test_words_beside_a_rating_are_words(desk: Desk) -> None:
    desk.database.call(lambda c: _rated(c, HOSTILE))
    line = _line(desk, "en")
    assert "schön" in line
    assert "<img" not in line


async def test_agents_see_consent(desk: Desk) -> None:
    desk.database.call(lambda c: _rated(c, ""))
    told = desk.database.call(lambda c: thread.load(c, "r", "u-asha"))
    assert told is not None
    assert told.customer["consent_at"] == 1_700_000_000.0
    html = await (await desk.browser()).text("/inbox/done/r")
    plain = html.replace("<bdi>", "").replace("</bdi>", "")
    assert "Version 3" in plain
    assert "Rated 2 of 5" in plain
