"""Which teams had a conversation before this was noted: what the migration reads from events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.stores import migrate
from bot.stores.database import Database

BEFORE = "0014"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database as it was before."""
    if request.param == "sqlite":
        made = f"sqlite:///{tmp_path / 'past.sqlite3'}"
        migrate.upgrade(made, BEFORE)
        yield made
        return
    server = request.getfixturevalue("postgresql")
    name = server.create()
    migrate.upgrade(server.url(name), BEFORE)
    yield server.url(name)
    server.drop(name)


def _insert(connection: sa.Connection, table: str, **values: Any) -> None:
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


def _conversation(connection: sa.Connection, ident: str, **values: Any) -> None:
    row = {
        "id": ident,
        "channel": "webchat",
        "account": "demo",
        "vendor_user": ident,
        "customer_id": f"c-{ident}",
        "state": "bot",
        "version": 1,
        "episode_id": "e1",
        "episode_started_at": 10.0,
        "stint": 1,
        "language": "en",
        "priority": 0,
        "last_message_at": 1.0,
        "blocked": False,
        **values,
    }
    _insert(connection, "conversations", **row)


def _event(
    connection: sa.Connection, ident: str, kind: str, at: float, episode: str = "e1", **data: Any
) -> None:
    _insert(
        connection,
        "events",
        id=f"{ident}:{at}:{kind}",
        type=kind,
        conversation=ident,
        episode_id=episode,
        channel="webchat",
        language="en",
        actor="agent",
        actor_id=data.pop("by", ""),
        content_version=0,
        data=json.dumps(data),
        occurred_at=at,
        stored_at=at,
    )


def _upgraded(url: str, *more: Any) -> list[tuple[Any, ...]]:
    database = Database(url, threads=1)
    try:
        for work in more:
            database.call(work)
        migrate.upgrade(url)
        query = (
            "SELECT conversation, stint, team, episode_id, began_at, ended_at FROM team_stints"
            " ORDER BY conversation, stint, team"
        )
        return [tuple(row) for row in database.call(lambda c: c.execute(sa.text(query)).all())]
    finally:
        database.close()


def test_teams_are_those_the_events_name(url: str) -> None:
    def past(c: sa.Connection) -> None:
        _insert(c, "team_members", team_id="t-asha", user_id="u-asha")
        _conversation(c, "a", stint=4, team="t-now", episode_id="e2", episode_started_at=50.0)
        _event(c, "a", "episode.started", 10.0)
        _event(c, "a", "handoff.assigned", 12.0, by="u-asha", wait_s=1)
        _event(c, "a", "handoff.returned", 20.0, by="u-asha")
        _event(c, "a", "handoff.assigned", 22.0, by="u-asha", wait_s=1)
        _event(c, "a", "handoff.transferred", 24.0, by="u-asha", note_characters=0, team="t-late")
        _event(c, "a", "handoff.returned", 30.0, by="u-nobody")
        _event(c, "a", "episode.closed", 40.0, outcome="unknown")
        _event(c, "a", "episode.started", 50.0, "e2")

    assert _upgraded(url, past) == [
        ("a", 1, "t-asha", "e1", 10.0, 20.0),
        ("a", 2, "t-late", "e1", 20.0, 30.0),
        ("a", 4, "t-now", "e2", 50.0, None),
    ]


def test_agents_of_no_team_worked_for_everyone(url: str) -> None:
    def past(c: sa.Connection) -> None:
        _conversation(c, "a", stint=2)
        _event(c, "a", "episode.started", 10.0)
        _event(c, "a", "handoff.assigned", 12.0, by="system", to="u-ravi", wait_s=1)
        _event(c, "a", "handoff.returned", 20.0, by="u-ravi")

    assert _upgraded(url, past) == [("a", 1, "everyone", "e1", 10.0, 20.0)]


def test_without_events_it_is_the_team_of_the_conversation(url: str) -> None:
    def past(c: sa.Connection) -> None:
        _conversation(c, "a", team="t-now", state="resolved")
        _conversation(c, "b")

    assert _upgraded(url, past) == [("a", 1, "t-now", "e1", 10.0, None)]


def test_what_came_before_an_episode_without_events_has_ended(url: str) -> None:
    def past(c: sa.Connection) -> None:
        _conversation(c, "a", stint=2, episode_id="e2", episode_started_at=50.0)
        _event(c, "a", "episode.started", 10.0)
        _event(c, "a", "sla.breached", 12.0, team="t-then")

    assert _upgraded(url, past) == [("a", 1, "t-then", "e1", 10.0, 50.0)]


def test_each_of_many_conversations_is_looked_at_once(url: str) -> None:
    def past(c: sa.Connection) -> None:
        for number in range(1001):
            _conversation(c, f"c{number:04}", team="t-now", state="resolved")
        _event(c, "c0777", "episode.started", 10.0)
        _event(c, "c0777", "sla.breached", 12.0, team="t-then")

    rows = _upgraded(url, past)
    assert len({row[0] for row in rows}) == 1001
    assert [row[2] for row in rows if row[0] == "c0777"] == ["t-now", "t-then"]
    assert len(rows) == 1002
