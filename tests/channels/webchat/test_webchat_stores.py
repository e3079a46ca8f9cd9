"""What the widget writes into SQL, on both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bot.conversation import store
from bot.conversation.states import State
from bot.errors import BadRequest
from bot.housekeeping import erasure
from bot.stores.database import Database
from bot.stores.tables import customers, events, survey_answers
from bot.streams.messages import Inbound
from channels.webchat.server import consent, queue, rating
from channels.webchat.server.session import session_of

OPENED = session_of("demo", "ann", 0.0, "7")


def _arrive(connection: sa.Connection) -> store.Conversation:
    inbound = Inbound("m1", OPENED.conversation, "webchat", "demo", "ann", received_at=5.0)
    return store.open_for(connection, inbound, "hi")


def test_consent_comes_before_or_after_the_first_message(database: Database) -> None:
    for step, now in enumerate((10.0, 20.0, 30.0)):
        told = {"locale": "hi-IN", "zone": "Asia/Calcutta", "now": now}
        database.call(lambda c, told=told: consent.keep(c, OPENED, **told))
        if step == 0:
            database.call(_arrive)
    (row,) = database.call(lambda c: c.execute(sa.select(customers)).mappings().all())
    assert (row["consent_version"], row["consent_at"], row["locale"]) == ("7", 10.0, "hi-IN")
    assert row["zone"] == "Asia/Calcutta"
    newer = session_of("demo", "ann", 0.0, "8")
    database.call(lambda c: consent.keep(c, newer, locale="", zone="", now=40.0))
    (row,) = database.call(lambda c: c.execute(sa.select(customers)).mappings().all())
    assert (row["consent_version"], row["consent_at"]) == ("8", 40.0)
    given = sa.select(events.c.data).where(events.c.type == "consent.given")
    told = database.call(lambda c: c.execute(given).scalars().all())
    assert sorted(one["version"] for one in told) == ["7", "8"]


def test_a_rating_is_kept_once_an_episode(database: Database) -> None:
    name, said = OPENED.conversation, rating.Rating(2, "बहुत देर लगी")
    with pytest.raises(BadRequest):
        database.call(lambda c: rating.keep(c, name, said, now=1.0))

    def resolve(connection: sa.Connection, key: str) -> None:
        found = _arrive(connection)
        found = store.change(connection, found, State.ASSIGNED, key=f"{key}1", owner="u")
        store.change(connection, found, State.RESOLVED, key=f"{key}2")

    database.call(lambda c: resolve(c, "a"))
    assert database.call(lambda c: rating.is_due(c, store.get(c, name)))
    assert [database.call(lambda c: rating.keep(c, name, said, now=9.0)) for _ in "xx"] == [
        True,
        False,
    ]
    assert not database.call(lambda c: rating.is_due(c, store.get(c, name)))
    (row,) = database.call(lambda c: c.execute(sa.select(survey_answers)).mappings().all())
    assert (row["score"], row["comment"], row["language"]) == (2, "बहुत देर लगी", "hi")


def test_who_waits_alone_is_next(database: Database) -> None:
    name = OPENED.conversation
    assert database.call(lambda c: queue.look(c, name, 0)) == {"state": ""}

    def wait(connection: sa.Connection) -> None:
        store.change(connection, _arrive(connection), State.WAITING, key="w", cause="asked")

    database.call(wait)
    told = database.call(lambda c: queue.look(c, name, 2))
    assert told == {"state": "waiting", "place": 1, "agents": 2}


def test_a_visitor_is_found_with_and_without_a_conversation(database: Database) -> None:
    for _ in "ab":
        found = database.call(
            lambda c: erasure.ids_of_conversation(c, OPENED.conversation, OPENED.visitor)
        )
        assert found.customers == (f"c-{OPENED.conversation}",)
        assert (found.conversations, found.vendor_users) == ((OPENED.conversation,), ("ann",))
        database.call(_arrive)
